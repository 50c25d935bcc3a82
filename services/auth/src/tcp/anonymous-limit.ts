import { limits } from '@postern/limits';
import { networkOf } from '@postern/pki';
import type { GrpcConnection } from '@postern/tunnel';

const MAX_PER_NETWORK = limits.socketsPerAddress;
/** A sign-in or a join is one call. */
const GIVES_WAY_MS = 5_000;

interface Stranger {
  readonly sinceMs: number;
  readonly destroy: () => void;
}

/**
 * How many connections without a certificate one client network may have. At the limit the oldest gives way, once it has
 * had time for what a stranger may do: who holds two hundred of them must not keep a neighbour from signing in.
 */
export function anonymousLimit(options: { readonly nowMs: () => number }): (connection: GrpcConnection) => boolean {
  const open = new Map<string, Set<Stranger>>();
  return ({ remoteAddress, destroy, onClose }) => {
    const network = networkOf(remoteAddress);
    const strangers = open.get(network) ?? new Set();
    const nowMs = options.nowMs();
    if (strangers.size >= MAX_PER_NETWORK) {
      const [oldest] = strangers;
      if (oldest === undefined || nowMs - oldest.sinceMs < GIVES_WAY_MS) return false;
      strangers.delete(oldest);
      oldest.destroy();
    }
    const stranger: Stranger = { sinceMs: nowMs, destroy };
    open.set(network, strangers.add(stranger));
    onClose(() => {
      strangers.delete(stranger);
      if (strangers.size === 0 && open.get(network) === strangers) open.delete(network);
    });
    return true;
  };
}
