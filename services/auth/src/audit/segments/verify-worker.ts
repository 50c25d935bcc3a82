import { parentPort, workerData } from 'node:worker_threads';
import { type Expected, verifySegments } from '#audit/segments/verify-segments.ts';

/** The other end of `verifyInThread`: reading and hashing a log of years is not done between sign-ins. */
const { dir, sealKey, expected } = workerData as { readonly dir: string; readonly sealKey: Uint8Array; readonly expected: Expected };
const tellEveryRecords = 25_000;
let told = 0;
const verification = await verifySegments({ dir, sealKey: Buffer.from(sealKey) }, expected, (records) => {
  if (records - told < tellEveryRecords) return;
  told = records;
  parentPort?.postMessage({ records });
});
parentPort?.postMessage({ verification });
