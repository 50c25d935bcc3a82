import type { Socket } from 'node:net';
import { MAX_PROXY_HEADER_BYTES, readProxyHeader } from '@postern/pki';

/**
 * Whose address a connection counts for. A proxy that splices may say it in a PROXY header proven by a route key; without
 * a proven one it is the socket's own. What follows the header is left in the socket. Resolves undefined where the
 * connection is to be closed: a malformed header, or silence.
 */
export function readClientAddress(
  socket: Socket,
  options: { readonly keys: () => readonly Buffer[]; readonly timeoutMs: number },
): Promise<string | undefined> {
  const own = socket.remoteAddress ?? 'unknown';
  return new Promise((resolve) => {
    let seen: Buffer = Buffer.alloc(0);
    const finish = (address: string | undefined) => {
      clearTimeout(timer);
      socket.off('readable', onReadable).off('end', onEnd).off('close', onEnd);
      resolve(address);
    };
    const onEnd = () => finish(undefined);
    const onReadable = () => {
      const chunk = socket.read() as Buffer | null;
      if (chunk === null) return;
      seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
      const header = readProxyHeader({ bytes: seen, keys: options.keys() });
      if (header.kind === 'incomplete' && seen.length <= MAX_PROXY_HEADER_BYTES) return;
      if (header.kind === 'malformed' || header.kind === 'incomplete') return finish(undefined);
      const rest = header.kind === 'absent' ? seen : seen.subarray(header.length);
      if (rest.length > 0) socket.unshift(rest);
      finish(header.kind === 'proven' ? header.clientAddress : own);
    };
    const timer = setTimeout(onEnd, options.timeoutMs);
    socket.on('readable', onReadable).once('end', onEnd).once('close', onEnd);
  });
}
