import type { Socket } from 'node:net';
import { HEAD_TIMEOUT_MS, MAX_HEAD_BYTES } from '#local-port/local-guard.ts';

const END_OF_HEAD = Buffer.from('\r\n\r\n');
const TLS_HANDSHAKE = 0x16;

export type ReadHead =
  | {
      readonly kind: 'head' /** Up to the empty line. */;
      readonly head: string /** Everything read so far, the head included. */;
      readonly bytes: Buffer;
    }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'closed' };

/** Reads until the first request's headers are whole; leaves the socket paused. */
export function readHead(socket: Socket, timeoutMs = HEAD_TIMEOUT_MS): Promise<ReadHead> {
  return new Promise((resolve) => {
    let bytes = Buffer.alloc(0);
    const timer = setTimeout(
      () => settle({ kind: 'refused', reason: `no whole request head came within ${timeoutMs / 1000} s` }),
      timeoutMs,
    );
    const settle = (result: ReadHead) => {
      clearTimeout(timer);
      socket.off('data', onData).off('end', onEnd).off('close', onEnd);
      socket.pause();
      resolve(result);
    };
    const onEnd = () => settle({ kind: 'closed' });
    const onData = (chunk: Buffer) => {
      const from = Math.max(0, bytes.length - END_OF_HEAD.length);
      bytes = Buffer.concat([bytes, chunk]);
      if (bytes[0] === TLS_HANDSHAKE)
        return settle({ kind: 'refused', reason: 'this port speaks plain HTTP: use http:// and not https://' });
      const at = bytes.indexOf(END_OF_HEAD, from);
      // Header bytes are latin1 on the wire (RFC 9110, 5.5).
      if (at >= 0 && at <= MAX_HEAD_BYTES) return settle({ kind: 'head', head: bytes.toString('latin1', 0, at), bytes });
      if (bytes.length > MAX_HEAD_BYTES) settle({ kind: 'refused', reason: `the request head is longer than ${MAX_HEAD_BYTES} bytes` });
    };
    socket.on('data', onData).on('end', onEnd).on('close', onEnd);
    socket.resume();
  });
}
