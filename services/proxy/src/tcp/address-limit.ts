import { networkOf } from '@postern/pki';

/** One connection that has not proven who it is. */
export interface Admission {
  /** Its ClientHello has come. */
  readonly greeted: () => void;
  /** Takes it out of the count. */
  readonly release: () => void;
}

interface Unproven {
  readonly sinceMs: number;
  readonly close: () => void;
  hasGreeted: boolean;
}

/** An honest client's ClientHello leaves with the end of its TCP handshake. */
const SILENT_GIVES_WAY_MS = 500;
/** A sign-in, a join or a page takes less. */
const GREETED_GIVES_WAY_MS = 3_000;

/**
 * How many connections of one client address are open and have not proven who they are. IPv6 counts by /64: one customer
 * has that many. At the limit the oldest that is not getting anywhere gives way to the one that comes: who holds two
 * hundred idle connections must not keep out everybody else behind the same address.
 */
export class AddressLimit {
  readonly #open = new Map<string, Set<Unproven>>();
  readonly #limit: number;
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Undefined where the connection is one too many and none gives way. `close` is called if this one has to. */
  admit(address: string, connection: { readonly nowMs: number; readonly close: () => void }): Admission | undefined {
    const key = networkOf(address);
    const open = this.#open.get(key) ?? new Set();
    if (open.size >= this.#limit) {
      const leaving = whoGivesWay(open, connection.nowMs);
      if (!leaving) return undefined;
      open.delete(leaving);
      leaving.close();
    }
    const entry: Unproven = { sinceMs: connection.nowMs, close: connection.close, hasGreeted: false };
    this.#open.set(key, open.add(entry));
    return {
      greeted: () => void (entry.hasGreeted = true),
      release: () => {
        open.delete(entry);
        if (open.size === 0 && this.#open.get(key) === open) this.#open.delete(key);
      },
    };
  }
}

/** A set keeps its order: the first that matches is the oldest. */
function whoGivesWay(open: ReadonlySet<Unproven>, nowMs: number): Unproven | undefined {
  let greeted: Unproven | undefined;
  for (const entry of open) {
    const ageMs = nowMs - entry.sinceMs;
    if (ageMs < SILENT_GIVES_WAY_MS) break;
    if (!entry.hasGreeted) return entry;
    if (ageMs >= GREETED_GIVES_WAY_MS) greeted ??= entry;
  }
  return greeted;
}
