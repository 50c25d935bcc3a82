import { periodFor, Sweep, type Swept } from '#time/sweep.ts';
import { Dialler } from '#upstream/dial.ts';
import { type AnswerHandler, type Flight, PooledFlight, type Upstream, type UpstreamRequest } from '#upstream/flight.ts';
import type { Http2Shares } from '#upstream/http2-shares.ts';
import { type Http2Rules, Http2UpstreamConnection } from '#upstream/http2-upstream-connection.ts';
import type { OriginOptions } from '#upstream/origin-options.ts';

/**
 * One host that requests are sent to over HTTP/2, several on a connection, and on each connection those of one owner. How many may be
 * under way is the caller's to bound (`inFlight`); how many connections, the shares'.
 */
export class Http2Origin implements Swept {
  readonly #rules: Http2Rules;
  readonly #shares: Http2Shares;
  readonly #all = new Set<Http2UpstreamConnection>();
  #inFlight = 0;
  #isDestroyed = false;

  constructor(options: OriginOptions, shares: Http2Shares) {
    const { limits } = options;
    const sweep = new Sweep(periodFor(limits.connectMs, limits.headersMs, limits.idleMs, limits.keepAliveMs));
    this.#shares = shares;
    this.#rules = {
      sweep,
      dialler: new Dialler({ ...options, protocol: 'h2' }),
      host: options.host,
      head: limits.head,
      connectTicks: sweep.ticks(limits.connectMs),
      headersTicks: sweep.ticks(limits.headersMs),
      idleTicks: sweep.ticks(limits.idleMs),
      keepAliveTicks: sweep.ticks(limits.keepAliveMs),
      maxResets: shares.limits.resetsPerConnection,
      onReset: ({ owner }) => shares.resets.count(owner),
      onClosed: (connection) => {
        shares.delete(connection);
        this.#all.delete(connection);
        if (this.#all.size === 0) sweep.delete(this);
      },
    };
  }

  get inFlight(): number {
    return this.#inFlight;
  }
  get connections(): number {
    return this.#all.size;
  }

  /** What one owner sends by. */
  for(owner: string): Upstream {
    return new OwnSide(this, owner);
  }

  /** Why nothing of his may be sent now, and what to do. */
  refusal(owner: string): string | undefined {
    const { resets } = this.#shares;
    if (resets.left(owner) < 1)
      return `${owner} has broken off ${resets.limit.atOnce} requests of HTTP/2, and may break off ${resets.limit.perSecond} a second: wait a moment`;
    return this.#bestOf(owner) === undefined ? this.#shares.refusal(owner) : undefined;
  }

  send(owner: string, request: UpstreamRequest, handler: AnswerHandler): Flight {
    const flight = new PooledFlight(request, handler, {
      unqueue: (queued) => {
        for (const connection of this.#shares.of(owner)) connection.unqueue(queued);
      },
      settled: () => void (this.#inFlight -= 1),
    });
    this.#inFlight += 1;
    if (this.#isDestroyed) process.nextTick(() => flight.fail('unreachable', 'the connections to the server are closed'));
    else {
      const connection = this.#connectionFor(owner);
      if (typeof connection === 'string') process.nextTick(() => flight.fail('none_free', connection));
      else connection.take(flight);
    }
    return flight;
  }

  /** Lets what is under way come to its end, and keeps no connection after it. */
  retire(): void {
    for (const connection of this.#all) connection.retire();
  }

  /** Ends everything; what is under way fails. */
  destroy(): void {
    this.#isDestroyed = true;
    for (const connection of this.#all) connection.destroy();
  }

  sweep(): void {
    for (const connection of this.#all) connection.sweep();
  }

  /** Where every one is full, the server's own count of streams makes the request wait on the one that has the fewest. */
  #connectionFor(owner: string): Http2UpstreamConnection | string {
    const best = this.#bestOf(owner);
    if (best !== undefined && best.load < best.maxStreams) return best;
    const refusal = this.#shares.refusal(owner);
    if (refusal !== undefined) return best ?? refusal;
    const opened = new Http2UpstreamConnection(this.#rules, owner);
    this.#shares.add(opened);
    if (this.#all.size === 0) this.#rules.sweep.add(this);
    this.#all.add(opened);
    return opened;
  }

  #bestOf(owner: string): Http2UpstreamConnection | undefined {
    let fewest: Http2UpstreamConnection | undefined;
    for (const connection of this.#shares.of(owner)) {
      if (!this.#all.has(connection) || !connection.takesMore) continue;
      if (connection.load < connection.maxStreams) return connection;
      if (fewest === undefined || connection.load < fewest.load) fewest = connection;
    }
    return fewest;
  }
}

class OwnSide implements Upstream {
  readonly isHttp2 = true;
  readonly #origin: Http2Origin;
  readonly #owner: string;

  constructor(origin: Http2Origin, owner: string) {
    this.#origin = origin;
    this.#owner = owner;
  }

  get inFlight(): number {
    return this.#origin.inFlight;
  }

  send(request: UpstreamRequest, handler: AnswerHandler): Flight {
    return this.#origin.send(this.#owner, request, handler);
  }
}
