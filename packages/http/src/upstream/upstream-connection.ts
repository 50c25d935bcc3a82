import type { Socket } from 'node:net';
import { HttpFault } from '#grammar/http-fault.ts';
import { joined } from '#grammar/write-head.ts';
import type { Sweep } from '#time/sweep.ts';
import { AnswerReader } from '#upstream/answer-reader.ts';
import { describeError, type Dialler } from '#upstream/dial.ts';
import type { PooledFlight, FlightConnection, UpstreamCode } from '#upstream/flight.ts';
import type { HeadLimits } from '#grammar/parse-head.ts';
import { hearOut } from '#upstream/hear-out.ts';
import { writeAhead, type WriteAheadPlace } from '#upstream/write-ahead.ts';

/** What all connections of an origin share; ticks are those of its sweep. */
export interface ConnectionRules {
  readonly sweep: Sweep;
  readonly dialler: Dialler;
  readonly head: HeadLimits;
  readonly connectTicks: number;
  readonly headersTicks: number;
  readonly idleTicks: number;
  readonly keepAliveTicks: number;
  readonly onOpened: (connection: UpstreamConnection) => void;
  readonly onFree: (connection: UpstreamConnection) => void;
  /** Once, whatever ends it; `failure` where it was never ready. */
  readonly onClosed: (
    connection: UpstreamConnection,
    failure: { readonly code: UpstreamCode; readonly reason: string } | undefined,
  ) => void;
}

/** A request as the bytes that it is; see UpstreamRequest. */
export interface WireRequest {
  readonly method: string;
  readonly head: string;
  readonly body: Buffer;
  readonly isStreamed: boolean;
}

/** So much of a body leaves in one write with its head. */
const FIRST_WRITE_BYTES = 64 * 1024;

/** One connection to an origin: idle, or with one request on it. */
export class UpstreamConnection implements FlightConnection {
  readonly #rules: ConnectionRules;
  readonly #reader: AnswerReader;
  readonly #socket: Socket | undefined;
  #flight: PooledFlight<WireRequest> | undefined;
  #isReady = false;
  #isClosed = false;
  #isPaused = false;
  #requestDone = false;
  #ahead: WriteAheadPlace | undefined;
  #since: number;

  constructor(rules: ConnectionRules) {
    this.#rules = rules;
    this.#reader = new AnswerReader(rules.head);
    this.#since = rules.sweep.tick;
    let socket: Socket;
    try {
      socket = rules.dialler.dial(() => this.#onReady());
    } catch (error) {
      process.nextTick(() => this.#close('unreachable', describeError(error)));
      return;
    }
    this.#socket = socket;
    hearOut(socket);
    socket.on('data', (bytes: Buffer) => this.#onData(bytes));
    socket.on('drain', () => this.#onDrain());
    socket.on('end', () => this.#onEnd());
    socket.on('error', (error) => this.#close(this.#isReady ? 'closed' : 'unreachable', describeError(error)));
    socket.on('close', () => this.#close(this.#isReady ? 'closed' : 'unreachable', 'the connection was closed'));
  }

  /** The other side has not hung up, as far as is known. */
  get isUsable(): boolean {
    const socket = this.#socket;
    return !this.#isClosed && socket !== undefined && socket.writable && socket.readable && !socket.destroyed;
  }

  #onReady(): void {
    if (this.#isClosed) return;
    this.#isReady = true;
    this.#since = this.#rules.sweep.tick;
    this.#rules.onOpened(this);
  }

  /** The connection is idle and usable. */
  start(flight: PooledFlight<WireRequest>): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    const { method, head, body, isStreamed } = flight.request;
    this.#flight = flight;
    this.#since = this.#rules.sweep.tick;
    this.#requestDone = !isStreamed;
    this.#reader.start(method, flight.handler);
    flight.startOn(this);
    socket.write(joined(head, body.length <= FIRST_WRITE_BYTES ? body : body.subarray(0, FIRST_WRITE_BYTES)));
    if (body.length > FIRST_WRITE_BYTES) socket.write(body.subarray(FIRST_WRITE_BYTES));
    if (isStreamed && !socket.writableNeedDrain) process.nextTick(() => this.#onDrain());
  }

  #onData(bytes: Buffer): void {
    const flight = this.#flight;
    // Nobody asked: whatever it is, the next request must not take it for its answer.
    if (flight === undefined) return this.destroy();
    this.#since = this.#rules.sweep.tick;
    let to: number;
    try {
      to = this.#reader.read(bytes);
    } catch (error) {
      if (!(error instanceof HttpFault)) throw error;
      return this.#close('malformed', error.message);
    }
    if (this.#flight === flight && this.#reader.isDone) this.#complete(flight, to === bytes.length);
  }

  #complete(flight: PooledFlight<WireRequest>, isClean: boolean): void {
    this.#flight = undefined;
    const bytes = this.#reader.bytes;
    if (isClean && this.#requestDone && this.#reader.head?.keepsAlive === true && this.isUsable) {
      this.#since = this.#rules.sweep.tick;
      // A paused one would let the next request hang.
      this.resume();
      this.#rules.onFree(this);
    } else this.destroy();
    flight.end(bytes);
  }

  #onDrain(): void {
    this.#giveBack();
    this.#since = this.#rules.sweep.tick;
    if (!this.#requestDone) this.#flight?.handler.onDrain?.();
  }

  #onEnd(): void {
    const flight = this.#flight;
    if (flight !== undefined && this.#reader.endsHere()) return this.#complete(flight, false);
    this.#close(this.#isReady ? 'closed' : 'unreachable', 'the server closed the connection');
  }

  pause(): void {
    if (this.#isPaused || this.#flight === undefined) return;
    this.#isPaused = true;
    this.#socket?.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#since = this.#rules.sweep.tick;
    this.#socket?.resume();
  }

  write(bytes: Buffer): boolean {
    if (this.#requestDone || this.#isClosed) return false;
    this.#since = this.#rules.sweep.tick;
    const socket = this.#socket;
    if (socket === undefined) return false;
    if (socket.write(bytes)) return true;
    this.#ahead ??= writeAhead.take();
    return this.#ahead !== undefined && socket.writableLength < this.#ahead.bytes;
  }

  #giveBack(): void {
    this.#ahead?.give();
    this.#ahead = undefined;
  }

  endRequest(): void {
    this.#requestDone = true;
    this.#since = this.#rules.sweep.tick;
  }

  get answerBytes(): number {
    return this.#reader.bytes;
  }

  abort(): void {
    this.#flight = undefined;
    this.destroy();
  }

  destroy(): void {
    this.#close('closed', 'the connection was closed from here');
  }

  sweep(): void {
    const { sweep, connectTicks, headersTicks, idleTicks, keepAliveTicks } = this.#rules;
    const passed = sweep.tick - this.#since;
    if (!this.#isReady) {
      if (passed >= connectTicks) this.#close('connect_timeout', 'no connection in time');
    } else if (this.#flight === undefined) {
      if (passed >= keepAliveTicks) this.destroy();
    } else if (this.#isPaused) return;
    else if (this.#reader.head === undefined && this.#requestDone) {
      if (passed >= headersTicks) this.#close('headers_timeout', 'no answer in time');
    } else if (passed >= idleTicks) this.#close('idle_timeout', 'the server stopped');
  }

  #close(code: UpstreamCode, reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#giveBack();
    this.#socket?.destroy();
    this.#reader.stop();
    const flight = this.#flight;
    this.#flight = undefined;
    this.#rules.onClosed(this, this.#isReady ? undefined : { code, reason });
    flight?.fail(code, reason, this.#reader.bytes);
  }
}
