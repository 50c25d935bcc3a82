import type { Http2UpstreamConnection } from '#upstream/http2-upstream-connection.ts';
import { ResetAllowance, type ResetLimit } from '#upstream/reset-allowance.ts';

export interface Http2ShareLimits {
  readonly connectionsPerOwner: number;
  readonly connections: number;
  /** Requests that are broken off on one connection; it takes no more of them then. */
  readonly resetsPerConnection: number;
  readonly resetsPerOwner: ResetLimit;
}

const NONE: ReadonlySet<Http2UpstreamConnection> = new Set();

/**
 * What each owner has over all origins. Servers end a connection on which too many requests are broken off, with everything that is on
 * it: so nobody's requests are on another's, and whoever breaks off many is refused before a server minds.
 */
export class Http2Shares {
  readonly limits: Http2ShareLimits;
  readonly resets: ResetAllowance;
  readonly #all = new Set<Http2UpstreamConnection>();
  readonly #byOwner = new Map<string, Set<Http2UpstreamConnection>>();

  constructor(limits: Http2ShareLimits, nowMs: () => number = () => performance.now()) {
    this.limits = limits;
    this.resets = new ResetAllowance(limits.resetsPerOwner, nowMs);
  }

  of(owner: string): ReadonlySet<Http2UpstreamConnection> {
    return this.#byOwner.get(owner) ?? NONE;
  }

  /** Why he may have no further connection, and what to do. One that rests makes room. */
  refusal(owner: string): string | undefined {
    const { connectionsPerOwner, connections } = this.limits;
    const own = this.of(owner);
    if (own.size >= connectionsPerOwner && resting(own) === undefined)
      return `${owner} has ${own.size} connections of HTTP/2 in use, as many as one user may: send fewer at a time`;
    if (this.#all.size >= connections && resting(this.#all) === undefined)
      return `${this.#all.size} connections of HTTP/2 are in use, and this agent opens no more: try again`;
    return undefined;
  }

  add(connection: Http2UpstreamConnection): void {
    const { owner } = connection;
    const { connectionsPerOwner, connections } = this.limits;
    if (this.of(owner).size >= connectionsPerOwner) resting(this.of(owner))?.destroy();
    if (this.#all.size >= connections) resting(this.#all)?.destroy();
    this.#all.add(connection);
    const own = this.#byOwner.get(owner);
    if (own === undefined) this.#byOwner.set(owner, new Set([connection]));
    else own.add(connection);
  }

  delete(connection: Http2UpstreamConnection): void {
    this.#all.delete(connection);
    const own = this.#byOwner.get(connection.owner);
    own?.delete(connection);
    if (own?.size === 0) this.#byOwner.delete(connection.owner);
  }
}

function resting(connections: ReadonlySet<Http2UpstreamConnection>): Http2UpstreamConnection | undefined {
  for (const connection of connections) if (connection.load === 0) return connection;
  return undefined;
}
