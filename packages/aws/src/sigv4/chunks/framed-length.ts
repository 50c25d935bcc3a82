import { signatureLengths } from '#sigv4/chunks/chunk-signatures.ts';
import type { SigningAlgorithm } from '#sigv4/payload-mode.ts';

/** Content of each chunk to AWS but the last: the size that AWS's own clients use, and at least 8 KiB are demanded. */
export const FRAME_BYTES = 64 * 1024;

/** Base64 of the checksums that S3 knows, in characters: their lengths are all that must be known of a trailer before it has come. */
const checksumLengths: ReadonlyMap<string, number> = new Map([
  ['x-amz-checksum-crc32', 8],
  ['x-amz-checksum-crc32c', 8],
  ['x-amz-checksum-crc64nvme', 12],
  ['x-amz-checksum-xxhash64', 12],
  ['x-amz-checksum-xxhash3', 12],
  ['x-amz-checksum-xxhash128', 24],
  ['x-amz-checksum-md5', 24],
  ['x-amz-checksum-sha1', 28],
  ['x-amz-checksum-sha256', 44],
  ['x-amz-checksum-sha512', 88],
]);

export function checksumLength(trailer: string): number | undefined {
  return checksumLengths.get(trailer);
}

export type Framed = {
  readonly algorithm: SigningAlgorithm;
  readonly contentLength: number;
  readonly hasTrailer: boolean;
  readonly trailers: readonly string[];
};

/** Content-Length of a body in signed chunks. `chunked` where a trailer's length cannot be told: S3 takes aws-chunked in chunked coding too. */
export function framedLength({ algorithm, contentLength, hasTrailer, trailers }: Framed): number | 'chunked' {
  const signature = signatureLengths[algorithm];
  // size;chunk-signature=…CRLF content CRLF
  const frame = (bytes: number): number => bytes.toString(16).length + 17 + signature + 2 + bytes + 2;
  const rest = contentLength % FRAME_BYTES;
  let length = Math.floor(contentLength / FRAME_BYTES) * frame(FRAME_BYTES) + (rest === 0 ? 0 : frame(rest)) + frame(0);
  if (!hasTrailer) return length;
  length += 'x-amz-trailer-signature:'.length + signature + 2;
  for (const name of trailers) {
    const value = checksumLengths.get(name);
    if (value === undefined) return 'chunked';
    length += name.length + 1 + value + 2;
  }
  return length;
}
