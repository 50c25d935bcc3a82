import { Worker } from 'node:worker_threads';
import { PosternError } from '@postern/api';
import type { Verification } from '#audit/audit-log.ts';
import type { LogFiles } from '#audit/segments/recover-log.ts';
import type { Expected } from '#audit/segments/verify-segments.ts';

export type Told = { readonly records: number } | { readonly verification: Verification };

/** Verifies in a thread of its own, which ends with the signal. */
export async function verifyInThread(
  { dir, sealKey }: LogFiles,
  expected: Expected,
  { signal, onRecords }: { readonly signal: AbortSignal | undefined; readonly onRecords: (records: number) => void },
): Promise<Verification> {
  const worker = new Worker(new URL('./verify-worker.ts', import.meta.url), {
    workerData: { dir, sealKey, expected },
    name: 'audit-verify',
    // How auth itself was started says nothing of this file.
    execArgv: [],
    // A mebibyte is read at a time, and nothing is kept.
    resourceLimits: { maxOldGenerationSizeMb: 256 },
  });
  const { promise, resolve, reject } = Promise.withResolvers<Verification>();
  const stop = (): void => reject(new PosternError('unavailable', 'the verification was given up'));
  worker.on('message', (told: Told) => {
    if ('records' in told) onRecords(told.records);
    else resolve(told.verification);
  });
  worker.once('error', reject);
  worker.once('exit', () => reject(new Error('the verifying thread ended without an answer')));
  signal?.addEventListener('abort', stop, { once: true });
  if (signal?.aborted === true) stop();
  try {
    return await promise;
  } finally {
    signal?.removeEventListener('abort', stop);
    await worker.terminate();
  }
}
