import { networkOf } from '@postern/pki';

interface Unproven {
  readonly network: string;
  readonly sinceMs: number;
  readonly close: () => void;
}

/** A TLS handshake with an agent is two round trips. */
const GIVES_WAY_MS = 250;

/**
 * How many connections of one route ticket are on their way to an agent and past no handshake yet. A ticket is a server name: who
 * watches the wire reads it, and could open connections until the agent does nothing but answer hellos, each held for as long as a
 * handshake may take. At the limit whoever comes from a network that has fewer takes the place of one of the network that has most;
 * among connections of one network the oldest gives way once it has had time.
 */
export class TicketLimit {
  readonly #open = new Map<string, Set<Unproven>>();
  readonly #limit: number;
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Takes a connection out of the count when called; undefined where the connection is one too many. `close` is called if it has to give way. */
  admit(
    ticket: string,
    connection: { /** Without a port. */ readonly address: string; readonly nowMs: number; readonly close: () => void },
  ): (() => void) | undefined {
    const { address, nowMs, close } = connection;
    const open = this.#open.get(ticket) ?? new Set();
    const entry: Unproven = { network: networkOf(address), sinceMs: nowMs, close };
    if (open.size >= this.#limit) {
      const leaving = whoGivesWay(open, entry);
      if (!leaving) return undefined;
      open.delete(leaving);
      leaving.close();
    }
    this.#open.set(ticket, open.add(entry));
    return () => {
      open.delete(entry);
      if (open.size === 0 && this.#open.get(ticket) === open) this.#open.delete(ticket);
    };
  }
}

/** A set keeps its order: the first that matches is the oldest. */
function whoGivesWay(open: ReadonlySet<Unproven>, coming: Unproven): Unproven | undefined {
  const byNetwork = Map.groupBy(open, ({ network }) => network);
  const own = byNetwork.get(coming.network) ?? [];
  const largest = [...byNetwork.values()].toSorted((a, b) => b.length - a.length)[0] ?? [];
  if (largest.length > own.length + 1) return largest[0];
  const [oldest] = own.length > 0 ? own : open;
  return oldest && coming.sinceMs - oldest.sinceMs >= GIVES_WAY_MS ? oldest : undefined;
}
