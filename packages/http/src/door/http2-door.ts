import { performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import { Http2Exchange, type Http2ExchangeConnection, type Http2ExchangeRules } from '#door/http2-exchange.ts';
import type { DoorLimits, HttpDoorOptions } from '#door/http-door.ts';
import { HttpFault } from '#grammar/http-fault.ts';
import { parseHttp2Head } from '#grammar/http2-head.ts';
import { periodFor, Sweep, type Swept } from '#time/sweep.ts';

export interface Http2DoorLimits extends Omit<DoorLimits, 'maxDiscardBytes'> {
  /** Of one connection, at a time; each may hold a window (64 KiB) of a body that is not read yet. */
  readonly streams: number;
  /** An answer of which the client takes nothing for so long is cut. */
  readonly stallMs: number;
}

export interface Http2DoorOptions<C> extends Omit<HttpDoorOptions<C>, 'limits'> {
  readonly limits: Http2DoorLimits;
  /** Is shown each connection before its first stream; for what bounds its frames. */
  readonly onSession?: (session: ServerHttp2Session) => void;
}

interface Rules<C> extends Http2ExchangeRules {
  readonly options: Http2DoorOptions<C>;
  readonly sweep: Sweep;
  readonly headTicks: number;
  readonly onClosed: (connection: Http2Connection<C>) => void;
}

/** Puts an HTTP/2 server on each stream of bytes that it is given, one exchange for each stream within. `C` travels with each. */
export class Http2Door<C> {
  readonly #rules: Rules<C>;
  readonly #connections = new Set<Http2Connection<C>>();

  constructor(options: Http2DoorOptions<C>) {
    const { headMs, bodyIdleMs, bodyMs, stallMs } = options.limits;
    const sweep = new Sweep(periodFor(headMs, bodyIdleMs, bodyMs, stallMs));
    this.#rules = {
      options,
      sweep,
      headTicks: sweep.ticks(headMs),
      bodyIdleTicks: sweep.ticks(bodyIdleMs),
      bodyTicks: sweep.ticks(bodyMs),
      stallTicks: sweep.ticks(stallMs),
      onClosed: (connection) => {
        sweep.delete(connection);
        this.#connections.delete(connection);
      },
    };
  }

  accept(stream: Duplex, context: C): void {
    const connection = new Http2Connection(stream, context, this.#rules);
    this.#connections.add(connection);
    this.#rules.sweep.add(connection);
  }

  get size(): number {
    return this.#connections.size;
  }

  /** Cuts every connection, whatever is on its way. */
  close(): void {
    for (const connection of this.#connections) connection.destroy();
  }
}

/** The session's memory, headers and what waits for the client included, in node:http2's unit of a million bytes. */
const MAX_SESSION_MEMORY = 8;

class Http2Connection<C> implements Http2ExchangeConnection<C>, Swept {
  readonly context: C;
  readonly #session: ServerHttp2Session;
  readonly #rules: Rules<C>;
  readonly #exchanges = new Set<Http2Exchange<C>>();
  readonly #since: number;
  #hasBegun = false;

  constructor(stream: Duplex, context: C, rules: Rules<C>) {
    const { limits, onSession } = rules.options;
    this.context = context;
    this.#rules = rules;
    this.#since = rules.sweep.tick;
    const session = performServerHandshake(stream, {
      // What is a little too long is refused in words, and what is far too long is not even kept.
      settings: { maxConcurrentStreams: limits.streams, maxHeaderListSize: 2 * limits.maxBytes },
      maxHeaderListPairs: 2 * limits.maxLines,
      maxSessionMemory: MAX_SESSION_MEMORY,
      maxSessionInvalidFrames: 100,
      maxSessionRejectedStreams: 100,
    });
    this.#session = session;
    session.on('error', () => session.destroy());
    session.on('close', () => {
      stream.destroy();
      rules.onClosed(this);
    });
    // HTTP/2 has no half of a connection: a client that says no more takes no more either.
    stream.on('end', () => session.destroy());
    stream.on('close', () => session.destroy());
    onSession?.(session);
    session.on('stream', (opened, _headers, _flags, rawHeaders) => this.#onStream(opened, rawHeaders));
  }

  get tick(): number {
    return this.#rules.sweep.tick;
  }

  #onStream(stream: ServerHttp2Stream, rawHeaders: readonly string[]): void {
    const { limits, onExchange, onMalformed } = this.#rules.options;
    this.#hasBegun = true;
    // A stream that breaks tells so by 'close'; without a listener the error would end the process.
    stream.on('error', () => undefined);
    // Over a stream of bytes that is no socket, as one out of a tunnel, frames are read ahead of this event: it may have been reset already.
    if (isGone(stream)) return void stream.destroy();
    let exchange: Http2Exchange<C>;
    try {
      exchange = new Http2Exchange(parseHttp2Head({ rawHeaders, endsHere: stream.endAfterHeaders, limits }), stream, this);
    } catch (error) {
      if (!(error instanceof HttpFault)) throw error;
      return refuse(stream, error.status, onMalformed(this.context, error));
    }
    this.#exchanges.add(exchange);
    stream.once('close', () => this.#exchanges.delete(exchange));
    onExchange(exchange);
  }

  closeSoon(): void {
    if (!this.#session.closed && !this.#session.destroyed) this.#session.close();
  }

  destroy(): void {
    this.#session.destroy();
  }

  sweep(): void {
    if (!this.#hasBegun && this.tick - this.#since >= this.#rules.headTicks) return this.destroy();
    for (const exchange of this.#exchanges) exchange.sweep(this.#rules);
  }
}

/** Node throws at whoever answers it. Closed, and not destroyed, is one that was reset with NO_ERROR. */
function isGone(stream: ServerHttp2Stream): boolean {
  return stream.destroyed || stream.closed;
}

function refuse(stream: ServerHttp2Stream, status: number, answer: { readonly contentType: string; readonly body: Buffer }): void {
  stream.respond({ ':status': status, 'content-type': answer.contentType, 'content-length': answer.body.length });
  if (!stream.endAfterHeaders) stream.once('finish', () => stream.close());
  stream.end(answer.body);
}
