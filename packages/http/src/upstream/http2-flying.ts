import { type ClientHttp2Session, type ClientHttp2Stream, constants, type OutgoingHttpHeaders, sensitiveHeaders } from 'node:http2';
import { CHUNKED } from '#grammar/fields.ts';
import { http2Headers } from '#grammar/http2-head.ts';
import type { Sweep } from '#time/sweep.ts';
import type { PooledFlight, FlightConnection, UpstreamCode, UpstreamRequest } from '#upstream/flight.ts';

/** Kept out of the tables of header compression: what stands there can be guessed at from the sizes of other requests. */
const SECRET = ['authorization', 'x-amz-security-token'];
const DIGITS = /^\d{1,15}$/;

export interface FlyingHooks {
  readonly sweep: Sweep;
  readonly onOver: () => void;
  /** The request was broken off from here. */
  readonly onReset: () => void;
}

/** One request of HTTP/2 on its way, and its answer. */
export class Http2Flying implements FlightConnection {
  readonly #flight: PooledFlight<UpstreamRequest>;
  readonly #stream: ClientHttp2Stream;
  readonly #sweep: Sweep;
  readonly #hooks: FlyingHooks;
  #requestDone: boolean;
  #hasHead = false;
  #isOver = false;
  #isPaused = false;
  #since: number;
  answerBytes = 0;

  /** Throws what node:http2 throws of a head that it cannot write. */
  constructor(session: ClientHttp2Session, flight: PooledFlight<UpstreamRequest>, hooks: FlyingHooks) {
    const { body, isStreamed, ...head } = flight.request;
    this.#flight = flight;
    this.#sweep = hooks.sweep;
    this.#hooks = hooks;
    this.#since = this.#sweep.tick;
    this.#requestDone = isStreamed !== true;
    const stream = session.request(headersOf(head), { endStream: this.#requestDone && body.length === 0 });
    this.#stream = stream;
    flight.startOn(this);
    stream.on('response', (_headers, _flags, rawHeaders) => this.#onHead(rawHeaders));
    stream.on('continue', () => flight.handler.onInterim?.(100));
    stream.on('data', (piece: Buffer) => this.#onData(piece));
    stream.on('drain', () => this.#onDrain());
    stream.on('end', () => this.#onEnd());
    stream.on('error', (error) => this.#onClosed(error.message));
    stream.on('close', () => this.#onClosed('the server closed the stream'));
    if (body.length > 0) stream.write(body);
    if (this.#requestDone) stream.end();
    else if (!stream.writableNeedDrain) process.nextTick(() => this.#onDrain());
  }

  #onHead(rawHeaders: readonly string[]): void {
    if (this.#isOver) return;
    this.#hasHead = true;
    this.#since = this.#sweep.tick;
    let status = 0;
    let length = CHUNKED;
    const fields: string[] = [];
    for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
      const name = rawHeaders[at] ?? '';
      const value = rawHeaders[at + 1] ?? '';
      if (name === ':status') status = Number(value);
      if (name.startsWith(':')) continue;
      if (name === 'content-length' && DIGITS.test(value)) length = Number(value);
      fields.push(name, value);
    }
    if (!(status >= 200 && status <= 599)) return this.#reset('malformed', 'the status of the answer is malformed');
    const connection = undefined;
    this.#flight.handler.onHead({ status, reason: '', fields, length, keepsAlive: true, connection, isHttp10: false });
  }

  #onData(piece: Buffer): void {
    if (this.#isOver) return;
    this.#since = this.#sweep.tick;
    this.answerBytes += piece.length;
    this.#flight.handler.onData?.(piece);
  }

  #onDrain(): void {
    this.#since = this.#sweep.tick;
    if (!this.#requestDone && !this.#isOver) this.#flight.handler.onDrain?.();
  }

  #onEnd(): void {
    if (this.#isOver) return;
    const { rstCode } = this.#stream;
    if (!this.#hasHead || (rstCode !== undefined && rstCode !== constants.NGHTTP2_NO_ERROR)) return;
    this.#over();
    // The answer is whole, and the server reads no more of a body that is still coming.
    if (!this.#requestDone) this.#cut('the answer is whole');
    this.#flight.end(this.answerBytes);
  }

  #onClosed(reason: string): void {
    // A server that says so, and has not answered, has not looked at the request (RFC 9113 8.7).
    if (this.#stream.rstCode === constants.NGHTTP2_REFUSED_STREAM && !this.#hasHead) this.#flight.mayHaveLeft = false;
    this.fail('closed', reason);
  }

  pause(): void {
    if (this.#isPaused || this.#isOver) return;
    this.#isPaused = true;
    this.#stream.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#since = this.#sweep.tick;
    this.#stream.resume();
  }

  write(bytes: Buffer): boolean {
    if (this.#requestDone || this.#isOver) return false;
    this.#since = this.#sweep.tick;
    return this.#stream.write(bytes);
  }

  endRequest(): void {
    if (this.#requestDone) return;
    this.#requestDone = true;
    this.#since = this.#sweep.tick;
    this.#stream.end();
  }

  abort(): void {
    this.#over();
    this.#cut('nobody wants the answer');
  }

  /** Destroyed and not closed: node:http2 would end what it closes in good order first, and AWS would take half a body for a whole one. */
  #cut(reason: string): void {
    this.#stream.destroy(new Error(reason));
    this.#hooks.onReset();
  }

  look({ headersTicks, idleTicks }: { readonly headersTicks: number; readonly idleTicks: number }): void {
    if (this.#isPaused || this.#isOver) return;
    const passed = this.#sweep.tick - this.#since;
    if (!this.#hasHead && this.#requestDone) {
      if (passed >= headersTicks) this.#reset('headers_timeout', 'no answer in time');
    } else if (passed >= idleTicks) this.#reset('idle_timeout', 'the server stopped');
  }

  #reset(code: UpstreamCode, reason: string): void {
    this.fail(code, reason);
    this.#cut(reason);
  }

  fail(code: UpstreamCode, reason: string): void {
    if (this.#isOver) return;
    this.#over();
    this.#flight.fail(code, reason, this.answerBytes);
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#hooks.onOver();
  }
}

function headersOf({ method, target, fields }: Pick<UpstreamRequest, 'method' | 'target' | 'fields'>): OutgoingHttpHeaders {
  const headers = http2Headers({ ':method': method, ':path': target, ':scheme': 'https' }, fields, ':authority');
  return Object.assign(headers, { [sensitiveHeaders]: SECRET });
}
