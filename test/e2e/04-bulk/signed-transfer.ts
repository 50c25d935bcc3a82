import { createHmac, hash } from 'node:crypto';
import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import type { Chain, Transfer, Upload, Way } from './s3-transfer.ts';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** What is sent, and how its signature covers it. */
export interface Body {
  /** The value of x-amz-content-sha256. */
  readonly payload: string;
  readonly bytes: number;
  readonly frameBytes?: number;
  /** Of all of the content, where it is one frame. */
  readonly onlyFrameSha256?: string;
  readonly leavesAfter?: number;
}

const REGION = 'us-east-1';
const EMPTY_SHA256 = hash('sha256', '', 'hex');
const CRC32_LINE_BYTES = 'x-amz-checksum-crc32:AAAAAA==\r\n'.length;
const SIGNATURE_BYTES = 64;

/** A request for an object, its head signed by AWS's own signer for JavaScript; `host` as it stands in the Host header. */
export async function signedTransfer(
  { to, host, path, credentials }: { readonly to: Way; readonly host: string; readonly path: string; readonly credentials: Credentials },
  body?: Body,
): Promise<Transfer> {
  const signer = new SignatureV4({
    service: 's3',
    region: REGION,
    credentials,
    sha256: Sha256,
    uriEscapePath: false,
    applyChecksum: false,
  });
  const [hostname = '', port] = host.split(':');
  const method = body === undefined ? 'GET' : 'PUT';
  const headers = { host, ...(body === undefined ? { 'x-amz-content-sha256': EMPTY_SHA256 } : headersOf(body)) };
  const address = { protocol: 'https:', hostname, ...(port === undefined ? {} : { port: Number(port) }) };
  const signed = await signer.sign({ method, ...address, path, query: {}, headers });
  const head = [`${method} ${path} HTTP/1.1`, ...Object.entries(signed.headers).map(([name, value]) => `${name}: ${value}`), '', ''];
  return { to, head: head.join('\r\n'), ...(body === undefined ? {} : { upload: uploadOf(body, signed.headers, credentials) }) };
}

const isSigned = ({ payload }: Body) => payload.startsWith('STREAMING-AWS4-');
const hasTrailer = ({ payload }: Body) => payload.endsWith('-TRAILER');

function headersOf(body: Body): Record<string, string> {
  const { payload, bytes } = body;
  if (!payload.startsWith('STREAMING-')) return { 'x-amz-content-sha256': payload, 'content-length': String(bytes) };
  return {
    'x-amz-content-sha256': payload,
    'content-encoding': 'aws-chunked',
    'x-amz-decoded-content-length': String(bytes),
    'content-length': String(framedBytes(body)),
    ...(hasTrailer(body) ? { 'x-amz-trailer': 'x-amz-checksum-crc32' } : {}),
  };
}

function framedBytes(body: Body): number {
  const { bytes, frameBytes = bytes } = body;
  const signature = isSigned(body) ? ';chunk-signature='.length + SIGNATURE_BYTES : 0;
  const frame = (size: number) => (size === 0 ? 0 : size.toString(16).length + signature + 2 + size + 2);
  const end = 1 + signature + 2 + 2;
  const trailer = CRC32_LINE_BYTES + (isSigned(body) ? 'x-amz-trailer-signature:'.length + SIGNATURE_BYTES + 2 : 0);
  return Math.floor(bytes / frameBytes) * frame(frameBytes) + frame(bytes % frameBytes) + end + (hasTrailer(body) ? trailer : 0);
}

function uploadOf(body: Body, headers: Readonly<Record<string, string>>, { secretAccessKey }: Credentials): Upload {
  const { bytes, frameBytes, leavesAfter, onlyFrameSha256 } = body;
  const rest = leavesAfter === undefined ? {} : { leavesAfter };
  if (!body.payload.startsWith('STREAMING-')) return { bytes, ...rest };
  const framed = { bytes, frameBytes: frameBytes ?? bytes, hasTrailer: hasTrailer(body), ...rest };
  if (!isSigned(body)) return framed;
  const [, scope = '', seed = ''] = /Credential=[^/]+\/([^,]+),.*Signature=([0-9a-f]{64})/.exec(headers['authorization'] ?? '') ?? [];
  let key: Buffer = Buffer.from(`AWS4${secretAccessKey}`);
  for (const part of scope.split('/')) key = createHmac('sha256', key).update(part).digest();
  const chain: Chain = { seed, key: key.toString('hex'), amzDate: headers['x-amz-date'] ?? '', scope };
  return { ...framed, chain: onlyFrameSha256 === undefined ? chain : { ...chain, onlyFrameSha256 } };
}
