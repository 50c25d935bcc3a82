import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { joinStreams, youngMemory } from '@postern/tunnel';

/** For the last bytes of one end to be taken by a slow reader at the other, where nothing else is said. */
const LINGER_MS = 20_000;

export interface SpliceOptions {
  /** Without a byte either way for so long both ends are closed. */
  readonly idleMs: number;
  /** How long one end may stay after the other has closed its half and nothing passes any more. */
  readonly lingerMs?: number;
  readonly onClosed?: (counts: { readonly bytesIn: number; readonly bytesOut: number }) => void;
}

/**
 * Joins two connections: each end's bytes go to the other, a slow end holds the other back, half-close passes on,
 * and whatever breaks one closes both.
 */
export function splice(client: Socket, far: Duplex, options: SpliceOptions): { readonly close: () => void } {
  let bytesIn = 0;
  let bytesOut = 0;
  client.setNoDelay(true);
  const idle = setTimeout(() => joined.close(), options.idleMs);
  idle.unref();
  // Neither TLS nor HTTP/2 goes on in one direction alone. A peer that vanished never closes its half, though the other end has.
  let lingering: NodeJS.Timeout | undefined;
  const linger = () => (lingering ??= setTimeout(() => joined.close(), options.lingerMs ?? LINGER_MS).unref());
  client.once('end', linger);
  far.once('end', linger);
  client.on('data', (bytes: Buffer) => {
    bytesIn += bytes.length;
    youngMemory.passed(bytes.length);
    idle.refresh();
    lingering?.refresh();
  });
  far.on('data', (bytes: Buffer) => {
    bytesOut += bytes.length;
    youngMemory.passed(bytes.length);
    idle.refresh();
    lingering?.refresh();
  });
  const joined = joinStreams(client, far, () => {
    clearTimeout(idle);
    clearTimeout(lingering);
    options.onClosed?.({ bytesIn, bytesOut });
  });
  return joined;
}
