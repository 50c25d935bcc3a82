import { periodFor, Sweep, type Swept } from '#time/sweep.ts';
import { Dialler } from '#upstream/dial.ts';
import { type AnswerHandler, type Flight, PooledFlight, type Upstream, type UpstreamRequest } from '#upstream/flight.ts';
import { type Http2Rules, Http2UpstreamConnection } from '#upstream/http2-upstream-connection.ts';
import type { OriginOptions } from '#upstream/origin-options.ts';

/** One host that requests are sent to over HTTP/2, several on a connection. How many may be under way is the caller's to bound (`inFlight`). */
export class Http2Origin implements Upstream, Swept {
  readonly isHttp2 = true;
  readonly #rules: Http2Rules;
  readonly #maxConnections: number;
  readonly #all = new Set<Http2UpstreamConnection>();
  readonly #hooks = {
    unqueue: (flight: PooledFlight<UpstreamRequest>) => {
      for (const connection of this.#all) connection.unqueue(flight);
    },
    settled: () => void (this.#inFlight -= 1),
  };
  #inFlight = 0;
  #isDestroyed = false;

  constructor(options: OriginOptions) {
    const { limits } = options;
    const sweep = new Sweep(periodFor(limits.connectMs, limits.headersMs, limits.idleMs, limits.keepAliveMs));
    this.#maxConnections = limits.connections;
    this.#rules = {
      sweep,
      dialler: new Dialler({ ...options, protocol: 'h2' }),
      host: options.host,
      head: limits.head,
      connectTicks: sweep.ticks(limits.connectMs),
      headersTicks: sweep.ticks(limits.headersMs),
      idleTicks: sweep.ticks(limits.idleMs),
      keepAliveTicks: sweep.ticks(limits.keepAliveMs),
      onClosed: (connection) => {
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

  send(request: UpstreamRequest, handler: AnswerHandler): Flight {
    const flight = new PooledFlight(request, handler, this.#hooks);
    this.#inFlight += 1;
    if (this.#isDestroyed) process.nextTick(() => flight.fail('unreachable', 'the connections to the server are closed'));
    else this.#connectionWithRoom().take(flight);
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
  #connectionWithRoom(): Http2UpstreamConnection {
    let fewest: Http2UpstreamConnection | undefined;
    for (const connection of this.#all) {
      if (!connection.takesMore) continue;
      if (connection.load < connection.maxStreams) return connection;
      if (fewest === undefined || connection.load < fewest.load) fewest = connection;
    }
    if (fewest !== undefined && this.#all.size >= this.#maxConnections) return fewest;
    if (this.#all.size === 0) this.#rules.sweep.add(this);
    const opened = new Http2UpstreamConnection(this.#rules);
    this.#all.add(opened);
    return opened;
  }
}
