import type { Socket } from 'node:net';
import { type PeekedHello, readClientHello } from '#tcp/client-hello.ts';

export type Peeked =
  | (Exclude<PeekedHello, { kind: 'incomplete' }> & { readonly bytes: Buffer })
  /** It hung up, or took too long. */
  | { readonly kind: 'gone'; readonly reason: string };

/**
 * Reads as much of a connection as its ClientHello takes. What was read is given back in `bytes`; the socket is left
 * paused, with nothing buffered and no listener of ours.
 */
export function peekClientHello(socket: Socket, limits: { readonly maxBytes: number; readonly timeoutMs: number }): Promise<Peeked> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    let size = 0;
    let needBytes = 1;
    const finish = (peeked: Peeked) => {
      clearTimeout(timer);
      socket.off('readable', onReadable).off('end', onEnd).off('close', onEnd);
      resolve(peeked);
    };
    const timer = setTimeout(() => finish({ kind: 'gone', reason: 'the handshake took too long' }), limits.timeoutMs);
    const onEnd = () => finish({ kind: 'gone', reason: 'the client hung up' });
    const onReadable = () => {
      for (let part: Buffer | null = socket.read(); part !== null; part = socket.read()) {
        parts.push(part);
        size += part.length;
      }
      // One look for each time there is enough to go on, so that single bytes do not cost a look each.
      if (size < needBytes) return;
      const bytes = Buffer.concat(parts, size);
      const peeked = readClientHello(bytes, limits);
      if (peeked.kind === 'incomplete') {
        ({ needBytes } = peeked);
        parts.splice(0, parts.length, bytes);
      } else {
        finish({ ...peeked, bytes });
      }
    };
    socket.on('readable', onReadable).once('end', onEnd).once('close', onEnd);
  });
}
