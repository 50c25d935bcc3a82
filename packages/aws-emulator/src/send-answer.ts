import type { ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { crc32, gzip } from 'node:zlib';

import type { Answer } from '#aws-error.ts';
import type { Mode } from '#options.ts';

const compress = promisify(gzip);
/** DynamoDB compresses what is worth it. */
const gzipFromBytes = 1024;

export interface Sending {
  readonly requestId: string;
  readonly acceptsGzip: boolean;
  readonly withCrc: boolean;
  readonly mode: Mode | undefined;
  readonly nowMs: number;
}

/** Sends the answer as DynamoDB does: gzip where it is asked for, and x-amz-crc32 over the bytes as they are sent. */
export async function sendAnswer(response: ServerResponse, answer: Answer, sending: Sending): Promise<void> {
  const { mode } = sending;
  if (mode?.delayMs !== undefined) await wait(mode.delayMs);
  const zip = sending.acceptsGzip && answer.body.length > gzipFromBytes;
  const body = zip ? await compress(answer.body) : answer.body;
  if (mode?.resetAfterBytes === 0) {
    response.socket?.resetAndDestroy();
    return;
  }
  response.writeHead(answer.status, {
    ...answer.headers,
    server: 'Server',
    date: new Date(sending.nowMs).toUTCString(),
    'x-amzn-requestid': sending.requestId,
    ...(sending.withCrc ? { 'x-amz-crc32': String(crc32(body)) } : {}),
    ...(zip ? { 'content-encoding': 'gzip' } : {}),
    'content-length': String(body.length + (mode?.lengthOff ?? 0)),
  });
  if (mode?.stallAfterBytes !== undefined) {
    // Headers and nothing more is a stall as well.
    response.flushHeaders();
    response.write(body.subarray(0, mode.stallAfterBytes));
    return;
  }
  if (mode?.lengthOff !== undefined) {
    response.write(body, () => response.socket?.end());
    return;
  }
  if (mode?.resetAfterBytes === undefined) {
    response.end(body);
    return;
  }
  response.write(body.subarray(0, mode.resetAfterBytes), () => response.socket?.resetAndDestroy());
}
