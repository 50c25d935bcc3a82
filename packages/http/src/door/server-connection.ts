import type { Duplex } from 'node:stream';
import { isTooFine } from '#body/pieces.ts';
import type { BodyFailure, BodySink, Exchange } from '#door/exchange.ts';
import { type ExchangeConnection, Http1Exchange } from '#door/http1-exchange.ts';
import { HeadCollector } from '#grammar/head-collector.ts';
import { HttpFault } from '#grammar/http-fault.ts';
import { type HeadLimits, parseRequestHead } from '#grammar/parse-head.ts';
import { answerHead, joined } from '#grammar/write-head.ts';
import type { Sweep, Swept } from '#time/sweep.ts';

/** What an answer to bytes that are no request consists of. */
export interface ShortAnswer {
  readonly contentType: string;
  readonly body: Buffer;
}

/** What all connections of a door share; ticks are those of its sweep. */
export interface DoorRules<C> {
  readonly sweep: Sweep;
  readonly head: HeadLimits;
  readonly headTicks: number;
  readonly bodyIdleTicks: number;
  readonly bodyTicks: number;
  readonly lingerTicks: number;
  readonly maxDiscardBytes: number;
  readonly onExchange: (exchange: Exchange<C>) => void;
  readonly onMalformed: (context: C, fault: HttpFault) => ShortAnswer;
  readonly onClosed: (connection: ServerConnection<C>) => void;
}

/** One client's stream: its requests one after another, each read when the one before is answered. */
export class ServerConnection<C> implements ExchangeConnection<C>, Swept {
  readonly context: C;
  readonly #stream: Duplex;
  readonly #rules: DoorRules<C>;
  readonly #head: HeadCollector;
  #exchange: Http1Exchange<C> | undefined;
  /** Bytes that are read and not yet taken, from `#restAt` on. The stream is paused while they wait for somebody. */
  #rest: Buffer | undefined;
  #restAt = 0;
  #isRunning = false;
  #isTaking = false;
  #isPaused = false;
  #isClosing = false;
  /** The client says no more. */
  #hasEnded = false;
  #isFirst = true;
  /** The tick of the last event that a limit counts from, and the one in which the body began. */
  #since: number;
  #bodySince = 0;

  constructor(stream: Duplex, context: C, rules: DoorRules<C>) {
    this.#stream = stream;
    this.context = context;
    this.#rules = rules;
    this.#head = new HeadCollector(rules.head.maxBytes);
    this.#since = rules.sweep.tick;
    stream.on('data', (bytes: Buffer) => this.#onData(bytes));
    stream.on('end', () => this.#onEnd());
    stream.on('drain', () => this.#exchange?.observer?.onDrain());
    stream.on('error', () => stream.destroy());
    stream.on('close', () => this.#onClose());
  }

  #onData(bytes: Buffer): void {
    if (this.#isClosing) return;
    // Where it was paused a moment ago, one more piece may have been on its way.
    this.#rest = this.#rest === undefined ? bytes : Buffer.concat([this.#rest.subarray(this.#restAt), bytes]);
    this.#restAt = 0;
    this.#run();
  }

  /** Takes what is read, as far as somebody wants it. A loop, so that requests that are refused at once do not pile up on the stack. */
  #run(): void {
    if (this.#isRunning || this.#isTaking) return;
    this.#isRunning = true;
    try {
      while (this.#rest !== undefined && !this.#isClosing) {
        if (this.#exchange === undefined) this.#readHead(this.#rest);
        else if (this.#exchange.takesBody) this.#takeBody(this.#exchange, this.#rest);
        else break;
      }
    } catch (error) {
      if (!(error instanceof HttpFault)) throw error;
      this.#refuse(error);
    } finally {
      this.#isRunning = false;
    }
    if (this.#hasEnded && this.#exchange === undefined && !this.#isClosing) this.#endWithout();
    if (!this.#isClosing && (this.#rest !== undefined || this.#exchange?.isPaused)) this.pause();
    else this.#resume();
  }

  #readHead(rest: Buffer): void {
    const { sweep, head: limits } = this.#rules;
    const isNew = !this.#head.isPartial;
    const text = this.#head.take(rest, this.#restAt);
    if (text === undefined) {
      if (isNew && !this.#isFirst) this.#since = sweep.tick;
      this.#rest = undefined;
      return;
    }
    const exchange = new Http1Exchange(parseRequestHead(text, limits), this);
    this.#takenTo(rest, this.#head.endsAt);
    this.#isFirst = false;
    this.#since = sweep.tick;
    this.#bodySince = sweep.tick;
    this.#exchange = exchange;
    this.#rules.onExchange(exchange);
  }

  #takeBody(exchange: Http1Exchange<C>, rest: Buffer): void {
    this.#since = this.#rules.sweep.tick;
    // Whoever takes it may pause, go on or answer from within; none of that may read the same bytes again.
    this.#isTaking = true;
    try {
      this.#takenTo(rest, exchange.takeBody(rest, this.#restAt));
    } finally {
      this.#isTaking = false;
    }
    if (exchange === this.#exchange && exchange.ended && exchange.bodyDone) this.#next();
  }

  #takenTo(rest: Buffer, at: number): void {
    this.#restAt = at;
    if (at >= rest.length) this.#rest = undefined;
  }

  feed(): void {
    const exchange = this.#exchange;
    if (exchange === undefined || this.#isTaking) return;
    // Nearly always the body came with its head, and its reader is called from within: it is given at once all the same.
    if (this.#rest !== undefined && exchange.takesBody) this.#takeBody(exchange, this.#rest);
    this.#run();
  }

  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#stream.pause();
  }

  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#since = this.#rules.sweep.tick;
    this.#stream.resume();
  }

  write(bytes: Buffer): boolean {
    const stream = this.#stream;
    return !stream.writable || stream.write(bytes);
  }

  answered(): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    if (exchange.closesAfter) return this.#close();
    if (exchange.bodyDone) {
      this.#next();
      return this.#run();
    }
    // A client reads the answer only after it has sent its body: what comes of it is thrown away, within bounds.
    exchange.readBody(new Discard(this.#rules.maxDiscardBytes, () => this.#close()));
  }

  #next(): void {
    this.#exchange = undefined;
    this.#since = this.#rules.sweep.tick;
  }

  /** Bytes that are no request: a short answer, and nothing more is read. */
  #refuse(fault: HttpFault): void {
    const { contentType, body } = this.#rules.onMalformed(this.context, fault);
    const fields = ['content-type', contentType, 'content-length', String(body.length), 'connection', 'close'];
    this.write(joined(answerHead(fault.status, undefined, fields), body));
    this.#close();
  }

  /**
   * What is written still leaves. What the client goes on sending is thrown away for a while: hanging up on unread bytes would
   * reset the connection, and the answer could be lost.
   */
  #close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#rest = undefined;
    this.#head.clear();
    this.#since = Number.POSITIVE_INFINITY;
    this.#stream.once('finish', () => (this.#since = this.#rules.sweep.tick));
    this.#stream.end();
    this.#resume();
  }

  /** A client may shut its sending side and wait for its answer (`nc -N`, RFC 9112 9.6); one that has left ends both sides. */
  #onEnd(): void {
    if (this.#isClosing) return;
    this.#hasEnded = true;
    if (this.#exchange === undefined) this.#endWithout();
    else this.#exchange.failBody('client_gone');
  }

  #endWithout(): void {
    if (this.#head.isPartial) this.#refuse(new HttpFault('the request ends before its header does'));
    else this.#close();
  }

  #onClose(): void {
    this.#isClosing = true;
    this.#rest = undefined;
    this.#exchange?.gone();
    this.#rules.onClosed(this);
  }

  destroy(): void {
    this.#isClosing = true;
    this.#stream.destroy();
  }

  sweep(): void {
    const { sweep, headTicks, bodyIdleTicks, bodyTicks, lingerTicks } = this.#rules;
    const passed = sweep.tick - this.#since;
    if (this.#isClosing) {
      if (passed >= lingerTicks) this.#destroySoon();
      return;
    }
    const exchange = this.#exchange;
    if (exchange === undefined) {
      if ((this.#isFirst || this.#head.isPartial) && passed >= headTicks)
        this.#refuse(new HttpFault('the request did not arrive in time', 408));
    } else if (exchange.takesBody) {
      if (passed >= bodyIdleTicks && !exchange.mayRest) exchange.failBody('idle');
      else if (sweep.tick - this.#bodySince >= bodyTicks || exchange.isLate()) exchange.failBody('late');
    }
  }

  #destroySoon(): void {
    // Where bytes can still be on their way after 'finish', the stream itself knows when they have gone.
    const stream = this.#stream as Duplex & { readonly destroySoon?: () => void };
    if (stream.destroySoon === undefined) stream.destroy();
    else stream.destroySoon();
  }
}

/** The rest of a body that nobody wants; an endless one, or one in crumbs, is cut. */
class Discard implements BodySink {
  readonly #maxBytes: number;
  readonly #cut: () => void;
  #bytes = 0;
  #pieces = 0;

  constructor(maxBytes: number, cut: () => void) {
    this.#maxBytes = maxBytes;
    this.#cut = cut;
  }

  onData(piece: Buffer): void {
    this.#bytes += piece.length;
    this.#pieces += 1;
    if (this.#bytes > this.#maxBytes || isTooFine(this.#pieces, this.#bytes)) this.#cut();
  }

  onEnd(): void {}

  onFailed(_why: BodyFailure): void {
    this.#cut();
  }
}
