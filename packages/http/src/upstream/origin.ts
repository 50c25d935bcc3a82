import { periodFor, Sweep, type Swept } from '#time/sweep.ts';
import { Dialler } from '#upstream/dial.ts';
import { type AnswerHandler, Flight, type UpstreamCode, type UpstreamRequest } from '#upstream/flight.ts';
import type { OriginOptions } from '#upstream/origin-options.ts';
import { type ConnectionRules, UpstreamConnection } from '#upstream/upstream-connection.ts';

/**
 * One host that requests are sent to, with its pool of connections. The connection used last is used first, so that the others
 * rest and are closed. A request waits for a connection where all are busy; how many may wait is the caller's to bound (`inFlight`).
 */
export class Origin implements Swept {
  readonly #rules: ConnectionRules;
  readonly #maxConnections: number;
  readonly #all = new Set<UpstreamConnection>();
  readonly #idle: UpstreamConnection[] = [];
  readonly #waiting = new Set<Flight>();
  readonly #hooks = { unqueue: (flight: Flight) => void this.#waiting.delete(flight), settled: () => void (this.#inFlight -= 1) };
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

  /** Sends a request once. Nothing of the handler is called before this returns. */
  send(request: UpstreamRequest, handler: AnswerHandler): Flight {
    const flight = new Flight(request, handler, this.#hooks);
    this.#inFlight += 1;
    if (this.#isDestroyed) {
      process.nextTick(() => flight.fail('unreachable', 'the connections to the server are closed'));
      return flight;
    }
    const connection = this.#takeIdle();
    if (connection !== undefined) connection.start(flight);
    else {
      this.#waiting.add(flight);
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
    for (const flight of this.#waiting) flight.fail('unreachable', 'the connections to the server are closed');
    this.#waiting.clear();
  }

  sweep(): void {
    for (const connection of this.#all) connection.sweep();
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
      const [next] = this.#waiting;
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
      const [oldest] = this.#waiting;
      if (oldest !== undefined) {
        this.#waiting.delete(oldest);
        oldest.fail(failure.code, failure.reason);
      }
    }
    if (this.#all.size === 0) this.#rules.sweep.delete(this);
    this.#openWanted();
  }
}
