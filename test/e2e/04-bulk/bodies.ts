import { createHash } from 'node:crypto';
import { contentAt } from './s3-transfer.ts';
import type { Body } from './signed-transfer.ts';

const STEP_BYTES = 256 * 1024;
/** As AWS's SDK for Java sends them. */
const FRAME_BYTES = 64 * 1024;

const sums = new Map<number, string>();

/** Of what every client here sends. */
export function contentSha256(bytes: number): string {
  const known = sums.get(bytes);
  if (known !== undefined) return known;
  const sum = createHash('sha256');
  for (let at = 0; at < bytes; at += STEP_BYTES) sum.update(contentAt(at, Math.min(STEP_BYTES, bytes - at)));
  const digest = sum.digest('hex');
  sums.set(bytes, digest);
  return digest;
}

const framed = (payload: string) => (bytes: number) => ({ payload, bytes, frameBytes: FRAME_BYTES });

/** How a body is covered by its request's signature: every way that is taken as it comes. */
export const uploads: Readonly<Record<string, (bytes: number) => Body>> = {
  'UNSIGNED-PAYLOAD': (bytes) => ({ payload: 'UNSIGNED-PAYLOAD', bytes }),
  'its hash': (bytes) => ({ payload: contentSha256(bytes), bytes }),
  'STREAMING-UNSIGNED-PAYLOAD-TRAILER': framed('STREAMING-UNSIGNED-PAYLOAD-TRAILER'),
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD': framed('STREAMING-AWS4-HMAC-SHA256-PAYLOAD'),
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER': framed('STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER'),
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD, one frame': (bytes) => ({
    payload: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
    bytes,
    frameBytes: bytes,
    onlyFrameSha256: contentSha256(bytes),
  }),
};
