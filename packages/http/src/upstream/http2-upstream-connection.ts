import { type ClientHttp2Session, connect } from 'node:http2';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { HeadLimits } from '#grammar/parse-head.ts';
import type { Sweep } from '#time/sweep.ts';
import { describeError, type Dialler } from '#upstream/dial.ts';
import type { PooledFlight, UpstreamCode, UpstreamRequest } from '#upstream/flight.ts';
import { Http2Flying } from '#upstream/http2-flying.ts';

/** What all connections of an origin share; ticks are those of its sweep. */
export interface Http2Rules {
  readonly sweep: Sweep;
  readonly dialler: Dialler;
  readonly host: string;
  readonly head: HeadLimits;
  readonly connectTicks: number;
  readonly headersTicks: number;
  readonly idleTicks: number;
  readonly keepAliveTicks: number;
  /** Of one connection: it takes no further request then. */
  readonly maxResets: number;
  readonly onReset: (connection: Http2UpstreamConnection) => void;
  readonly onClosed: (connection: Http2UpstreamConnection) => void;
}

/** Before the server has said how many it takes, and where it takes more. On a connection that takes no more each may still be reset. */
const MAX_STREAMS = 100;
const MAX_SESSION_MEMORY = 64;

/** One connection to an origin, with the requests of its owner that are on it; those that came before it was ready wait in it. */
export class Http2UpstreamConnection {
  readonly owner: string;
  readonly #rules: Http2Rules;
  readonly #socket: Socket | undefined;
  readonly #waiting = new Set<PooledFlight<UpstreamRequest>>();
  readonly #flying = new Set<Http2Flying>();
  #session: ClientHttp2Session | undefined;
  #isClosed = false;
  #isRetired = false;
  #resets = 0;
  #since: number;
  maxStreams = MAX_STREAMS;

  constructor(rules: Http2Rules, owner: string) {
    this.owner = owner;
    this.#rules = rules;
    this.#since = rules.sweep.tick;
    let socket: Socket;
    try {
      socket = rules.dialler.dial(() => this.#onReady());
    } catch (error) {
      process.nextTick(() => this.#close('unreachable', describeError(error)));
      return;
    }
    this.#socket = socket;
    socket.on('error', (error) => this.#close(this.#session === undefined ? 'unreachable' : 'closed', describeError(error)));
    socket.on('close', () => this.#close(this.#session === undefined ? 'unreachable' : 'closed', 'the connection was closed'));
  }

  get load(): number {
    return this.#waiting.size + this.#flying.size;
  }

  get takesMore(): boolean {
    const session = this.#session;
    return (
      !this.#isClosed && !this.#isRetired && this.load < MAX_STREAMS && (session === undefined || !(session.closed || session.destroyed))
    );
  }

  take(flight: PooledFlight<UpstreamRequest>): void {
    const session = this.#session;
    if (session === undefined) this.#waiting.add(flight);
    else this.#start(session, flight);
  }

  unqueue(flight: PooledFlight<UpstreamRequest>): void {
    this.#waiting.delete(flight);
  }

  #onReady(): void {
    const socket = this.#socket;
    if (this.#isClosed || socket === undefined) return;
    const { host, head } = this.#rules;
    if (socket instanceof TLSSocket && socket.alpnProtocol !== 'h2') return this.#close('unreachable', `${host} does not speak HTTP/2`);
    const session = connect(`https://${host}`, {
      createConnection: () => socket,
      settings: { enablePush: false, maxHeaderListSize: head.maxBytes },
      maxHeaderListPairs: head.maxLines,
      maxSessionMemory: MAX_SESSION_MEMORY,
    });
    this.#session = session;
    session.on('error', (error) => this.#close('closed', describeError(error)));
    session.on('close', () => this.#close('closed', 'the connection was closed'));
    session.on('remoteSettings', ({ maxConcurrentStreams = MAX_STREAMS }) => {
      this.maxStreams = Math.max(1, Math.min(MAX_STREAMS, maxConcurrentStreams));
    });
    this.#since = this.#rules.sweep.tick;
    for (const flight of this.#waiting) this.#start(session, flight);
    this.#waiting.clear();
  }

  #start(session: ClientHttp2Session, flight: PooledFlight<UpstreamRequest>): void {
    try {
      const flying = new Http2Flying(session, flight, {
        sweep: this.#rules.sweep,
        onOver: () => {
          this.#flying.delete(flying);
          this.#since = this.#rules.sweep.tick;
          if (this.#isRetired && this.load === 0) this.destroy();
        },
        onReset: () => this.#onReset(),
      });
      this.#flying.add(flying);
    } catch (error) {
      // What no field of HTTP/2 may hold, or a connection that closes just now: nothing has left.
      process.nextTick(() => flight.fail('malformed', describeError(error)));
    }
  }

  /** Long before the server ends it, with everything that is on it. */
  #onReset(): void {
    this.#resets += 1;
    this.#rules.onReset(this);
    if (this.#resets >= this.#rules.maxResets) this.retire();
  }

  retire(): void {
    this.#isRetired = true;
    if (this.load === 0) this.destroy();
  }

  destroy(): void {
    this.#close('closed', 'the connection was closed from here');
  }

  sweep(): void {
    const { sweep, connectTicks, keepAliveTicks } = this.#rules;
    const passed = sweep.tick - this.#since;
    if (this.#session === undefined) {
      if (passed >= connectTicks) this.#close('connect_timeout', 'no connection in time');
    } else if (this.load === 0) {
      if (passed >= keepAliveTicks) this.destroy();
    } else for (const flying of this.#flying) flying.look(this.#rules);
  }

  #close(code: UpstreamCode, reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#rules.onClosed(this);
    for (const flight of this.#waiting) flight.fail(code, reason);
    this.#waiting.clear();
    for (const flying of this.#flying) flying.fail(code, reason);
    this.#session?.destroy();
    this.#socket?.destroy();
  }
}
