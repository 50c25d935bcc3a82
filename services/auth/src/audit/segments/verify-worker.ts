import { parentPort, workerData } from 'node:worker_threads';
import type { Told } from '#audit/segments/verify-in-thread.ts';
import { type Expected, verifySegments } from '#audit/segments/verify-segments.ts';

/** The other end of `verifyInThread`: reading and hashing a log of years is not done between sign-ins. */
const { dir, sealKey, expected } = workerData as { readonly dir: string; readonly sealKey: Uint8Array; readonly expected: Expected };
const tellEveryRecords = 25_000;
let told = 0;
const verification = await verifySegments({ dir, sealKey: Buffer.from(sealKey) }, expected, (records) => {
  if (records - told < tellEveryRecords) return;
  told = records;
  tell({ records });
});
tell({ verification });

function tell(what: Told): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port between threads has no origin
  parentPort?.postMessage(what);
}
