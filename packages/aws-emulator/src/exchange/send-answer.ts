import type { ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { crc32, gzip } from 'node:zlib';

import type { Mode } from '#options.ts';
import type { Answer } from '#protocols/aws-error.ts';

const compress = promisify(gzip);
/** DynamoDB compresses what is worth it. */
const gzipFromBytes = 1024;

export interface Sending {
  readonly method: string;
  /** Headers that every answer of the service has. */
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined where the service neither compresses nor sums. */
  readonly dynamodb: { readonly acceptsGzip: boolean } | undefined;
  readonly mode: Mode | undefined;
  /** The rest of the request's body is not read, and HTTP/1.1 has to say so. */
  readonly closes: boolean;
}

/** Sends the answer, held or made meanwhile, with the faults that were asked for. */
export async function sendAnswer(response: ServerResponse, answer: Answer, sending: Sending): Promise<void> {
  const { mode } = sending;
  if (mode?.delayMs !== undefined) await wait(mode.delayMs);
  if (mode?.hangs === true) return;
  if (mode?.resetAfterBytes === 0) {
    response.socket?.resetAndDestroy();
    return;
  }
  const { body, headers } = await encoded(answer, sending);
  const lengthOff = mode?.lengthOff ?? 0;
  // Of an answer to HEAD the length is that of the body it has not.
  const held = Buffer.isBuffer(body) && answer.status !== 204 && answer.status !== 304 && sending.method !== 'HEAD';
  response.writeHead(answer.status, {
    ...headers,
    ...(held ? { 'content-length': String(body.length + lengthOff) } : {}),
    ...sending.headers,
    ...(sending.closes ? { connection: 'close' } : {}),
  });
  if (sending.method === 'HEAD') response.end();
  else if (Buffer.isBuffer(body)) await sendHeld(response, body, mode);
  else await sendStream(response, body, mode);
}

/** DynamoDB answers gzip where it is asked for, and sums the bytes as they are sent. */
async function encoded(answer: Answer, { dynamodb }: Sending): Promise<Pick<Answer, 'body' | 'headers'>> {
  if (dynamodb === undefined || !Buffer.isBuffer(answer.body)) return answer;
  const zip = dynamodb.acceptsGzip && answer.body.length > gzipFromBytes;
  const body = zip ? await compress(answer.body) : answer.body;
  return { body, headers: { ...answer.headers, 'x-amz-crc32': String(crc32(body)), ...(zip ? { 'content-encoding': 'gzip' } : {}) } };
}

async function sendHeld(response: ServerResponse, body: Buffer, mode: Mode | undefined): Promise<void> {
  if (mode?.stallAfterBytes !== undefined) {
    // Headers and nothing more is a stall as well.
    response.flushHeaders();
    response.write(body.subarray(0, mode.stallAfterBytes));
  } else if (mode?.lengthOff !== undefined) response.write(body, () => response.socket?.end());
  else if (mode?.resetAfterBytes !== undefined)
    response.write(body.subarray(0, mode.resetAfterBytes), () => response.socket?.resetAndDestroy());
  else response.end(body);
}

/** Piece by piece at the speed of the reader; each piece is on the wire before the next one is made. */
async function sendStream(response: ServerResponse, body: AsyncIterable<Buffer>, mode: Mode | undefined): Promise<void> {
  const stopAfter = mode?.resetAfterBytes ?? mode?.stallAfterBytes ?? Number.POSITIVE_INFINITY;
  let sent = 0;
  response.flushHeaders();
  for await (const piece of body) {
    if (response.destroyed) return;
    const part = piece.subarray(0, stopAfter - sent);
    sent += part.length;
    if (!response.write(part)) await drained(response);
    if (sent < stopAfter) continue;
    if (mode?.resetAfterBytes !== undefined) response.write('', () => response.socket?.resetAndDestroy());
    return;
  }
  response.end();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      response.off('drain', go).off('close', go);
      resolve();
    };
    response.on('drain', go).on('close', go);
  });
}
