import { requestHead } from '#grammar/write-head.ts';
import { periodFor, Sweep, type Swept } from '#time/sweep.ts';
import { Dialler } from '#upstream/dial.ts';
import { type AnswerHandler, type Flight, PooledFlight, type Upstream, type UpstreamCode, type UpstreamRequest } from '#upstream/flight.ts';
import type { OriginOptions } from '#upstream/origin-options.ts';
import { type ConnectionRules, UpstreamConnection, type WireRequest } from '#upstream/upstream-connection.ts';

/**
 * One host that requests are sent to, with its pool of connections. The connection used last is used first, so that the others
 * rest and are closed. A request waits where all are busy, for as long as a connection may take to be made; how many may wait is the
 * caller's to bound (`inFlight`).
 */
export class Origin implements Upstream, Swept {
  readonly isHttp2 = false;
  readonly #rules: ConnectionRules;
  readonly #maxConnections: number;
  readonly #all = new Set<UpstreamConnection>();
  readonly #idle: UpstreamConnection[] = [];
  /** The oldest first, with the tick since which each waits. */
  readonly #waiting = new Map<PooledFlight<WireRequest>, number>();
  readonly #hooks = {
    unqueue: (flight: PooledFlight<WireRequest>) => void this.#waiting.delete(flight),
    settled: () => void (this.#inFlight -= 1),
  };
  #opening = 0;
  #inFlight = 0;
  #isRetired = false;
  #isDestroyed = false;

  constructor(options: OriginOptions) {
    const { limits } = options;
    const sweep = new Sweep(periodFor(limits.connectMs, limits.headersMs, limits.idleMs, limits.keepAliveMs));
    this.#maxConnections = limits.connections;
    this.#rules = {
      sweep,
      dialler: new Dialler(options),
      head: limits.head,
      connectTicks: sweep.ticks(limits.connectMs),
      headersTicks: sweep.ticks(limits.headersMs),
      idleTicks: sweep.ticks(limits.idleMs),
      keepAliveTicks: sweep.ticks(limits.keepAliveMs),
      onOpened: (connection) => {
        this.#opening -= 1;
        this.#onFree(connection);
      },
      onFree: (connection) => this.#onFree(connection),
      onClosed: (connection, failure) => this.#onClosed(connection, failure),
    };
  }

  /** Requests under way, those that wait for a connection included. */
  get inFlight(): number {
    return this.#inFlight;
  }
  get connections(): number {
    return this.#all.size;
  }

  send({ method, target, fields, body, isStreamed }: UpstreamRequest, handler: AnswerHandler): Flight {
    const request = { method, head: requestHead(method, target, fields), body, isStreamed: isStreamed === true };
    const flight = new PooledFlight(request, handler, this.#hooks);
    this.#inFlight += 1;
    if (this.#isDestroyed) {
      process.nextTick(() => flight.fail('unreachable', 'the connections to the server are closed'));
      return flight;
    }
    const connection = this.#takeIdle();
    if (connection !== undefined) connection.start(flight);
    else {
      this.#waiting.set(flight, this.#rules.sweep.tick);
      this.#openWanted();
    }
    return flight;
  }

  /** Lets what is under way come to its end, and keeps no connection after it. */
  retire(): void {
    this.#isRetired = true;
    for (const connection of this.#idle.splice(0)) connection.destroy();
  }

  /** Ends everything; what is under way fails. */
  destroy(): void {
    this.#isDestroyed = true;
    for (const connection of this.#all) connection.destroy();
    for (const flight of this.#waiting.keys()) flight.fail('unreachable', 'the connections to the server are closed');
    this.#waiting.clear();
  }

  sweep(): void {
    for (const connection of this.#all) connection.sweep();
    const { sweep, connectTicks } = this.#rules;
    for (const [flight, since] of this.#waiting) {
      if (sweep.tick - since < connectTicks) break;
      this.#waiting.delete(flight);
      flight.fail('none_free', `all ${this.#maxConnections} connections to the server were in use: try again`);
    }
  }

  #takeIdle(): UpstreamConnection | undefined {
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      if (connection.isUsable) return connection;
      connection.destroy();
    }
    return undefined;
  }

  #openWanted(): void {
    while (this.#waiting.size > this.#opening && this.#all.size < this.#maxConnections && !this.#isDestroyed) {
      if (this.#all.size === 0) this.#rules.sweep.add(this);
      this.#opening += 1;
      this.#all.add(new UpstreamConnection(this.#rules));
    }
  }

  #onFree(connection: UpstreamConnection): void {
    if (this.#waiting.size > 0) {
      const [next] = this.#waiting.keys();
      if (next === undefined) return;
      this.#waiting.delete(next);
      connection.start(next);
    } else if (this.#isRetired) connection.destroy();
    else this.#idle.push(connection);
  }

  #onClosed(connection: UpstreamConnection, failure: { readonly code: UpstreamCode; readonly reason: string } | undefined): void {
    this.#all.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    if (failure !== undefined) {
      this.#opening -= 1;
      const [oldest] = this.#waiting.keys();
      if (oldest !== undefined) {
        this.#waiting.delete(oldest);
        oldest.fail(failure.code, failure.reason);
      }
    }
    if (this.#all.size === 0) this.#rules.sweep.delete(this);
    this.#openWanted();
  }
}
