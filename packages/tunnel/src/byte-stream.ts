import { Duplex } from 'node:stream';
import type { ClientDuplexStream, ServerDuplexStream } from '@grpc/grpc-js';
import { fromServiceError, grpcStatusOf, PosternError, statusOf } from '@postern/api';
import { tunnelLimits } from '#limits.ts';
import { cutFrames } from '#frames.ts';
import { resetServerCall } from '#grpc-internals.ts';

export type ByteCall = ServerDuplexStream<Buffer, Buffer> | ClientDuplexStream<Buffer, Buffer>;

export interface ByteStreamOptions {
  /** host:port of whoever is at the far end, as the relay saw it. */
  readonly remoteAddress?: string;
  /** Bytes may wait for the peer for so long; then the stream is reset. */
  readonly stallMs?: number;
}

/**
 * A Duplex of bytes over a gRPC stream of raw Buffers, for either side of a call. tls.Server, tls.connect, http2
 * and node:http take it as a socket.
 *
 * A gRPC server that ends a call ends it in both directions, so half-close is said within: an empty message means
 * "no more bytes from this side". Once both sides have said so the call is ended with status OK. A call that ends
 * in any other way destroys the stream: cut bytes are never taken for a complete answer.
 */
export function byteStream(call: ByteCall, options: ByteStreamOptions = {}): ByteStream {
  return new ByteStream(call, options);
}

type Done = (error?: Error | null) => void;
const NO_MORE_BYTES = Buffer.alloc(0);

export class ByteStream extends Duplex {
  readonly remoteAddress: string | undefined;
  readonly #call: ByteCall;
  readonly #stallMs: number;
  #batch: Buffer[] = [];
  #batchBytes = 0;
  #flushAt: NodeJS.Immediate | undefined;
  #inFlightBytes = 0;
  #waiting: Done | undefined;
  #receivedEnd = false;
  #sentEnd = false;
  #endsSoon = false;
  #stallTimer: NodeJS.Timeout | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #lastTakenMs = 0;
  bytesRead = 0;
  bytesWritten = 0;

  constructor(call: ByteCall, options: ByteStreamOptions) {
    super({ allowHalfOpen: true, readableHighWaterMark: tunnelLimits.maxFrameBytes, writableHighWaterMark: tunnelLimits.maxFrameBytes });
    this.#call = call;
    this.#stallMs = options.stallMs ?? tunnelLimits.stallMs;
    this.remoteAddress = options.remoteAddress;
    call.pause();
    call.on('data', (frame: Buffer) => this.#receive(frame));
    call.on('drain', () => this.#proceed());
    call.on('end', () => this.#callEnded());
    call.on('close', () => this.#callEnded());
    call.on('cancelled', () => this.#callEnded());
    call.on('error', (error: Error) => this.#callFailed(error));
    // Until the first read grpc-js's client takes messages off the wire into a list without a bound (1.14); asking
    // once makes it stop after one.
    call.read(0);
  }

  override _read(): void {
    this.#call.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#accept([chunk], done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: Done): void {
    this.#accept(
      chunks.map(({ chunk }) => chunk),
      done,
    );
  }

  override _final(done: Done): void {
    this.#flush();
    this.#send(NO_MORE_BYTES);
    this.#sentEnd = true;
    this.#endWhenBothDone();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearImmediate(this.#flushAt);
    clearTimeout(this.#stallTimer);
    clearTimeout(this.#idleTimer);
    this.#batch = [];
    const bothDone = this.#sentEnd && this.#receivedEnd;
    if (!bothDone) this.#abort(error);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.(error ?? reset('the stream was closed'));
    done(error);
  }

  /** As net.Socket: 'timeout' after so long without a byte either way; the listener decides what to do. */
  setTimeout(ms: number, listener?: () => void): this {
    clearTimeout(this.#idleTimer);
    this.#idleTimer = undefined;
    if (listener && ms > 0) this.once('timeout', listener);
    else if (listener) this.off('timeout', listener);
    if (ms > 0 && !this.destroyed) {
      this.#idleTimer = setTimeout(() => this.emit('timeout'), ms);
      this.#idleTimer.unref();
    }
    return this;
  }

  /** Frames leave at the end of the loop turn in any case; there is no Nagle to turn off. */
  setNoDelay(): this {
    return this;
  }

  /** The HTTP/2 session below has its own keepalive. */
  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  /** node:http closes a connection with this: what is written still leaves. */
  destroySoon(): void {
    if (this.writable) this.end();
    this.#endsSoon = true;
    if (this.writableFinished) this.#destroyWhenTaken();
    else this.once('finish', () => this.#destroyWhenTaken());
  }

  /** Before the frames are taken, closing would reset the call and the last words would be lost; a stall ends the wait. */
  #destroyWhenTaken(): void {
    if (this.#endsSoon && this.writableFinished && this.#inFlightBytes === 0) this.destroy();
  }

  #receive(frame: Buffer): void {
    if (this.destroyed || this.#receivedEnd) return;
    this.#idleTimer?.refresh();
    if (frame.length === 0) {
      this.#receivedEnd = true;
      this.push(null);
      this.#endWhenBothDone();
      return;
    }
    this.bytesRead += frame.length;
    if (!this.push(frame)) this.#call.pause();
  }

  /** Small writes of one loop turn leave as one message: a message costs 16 µs a side, a byte nearly nothing. */
  #accept(chunks: readonly Buffer[], done: Done): void {
    for (const chunk of chunks) {
      if (chunk.length === 0) continue;
      this.#batch.push(chunk);
      this.#batchBytes += chunk.length;
    }
    this.#idleTimer?.refresh();
    if (this.#batchBytes >= tunnelLimits.maxFrameBytes) this.#flush();
    else if (this.#batchBytes > 0) this.#flushAt ??= setImmediate(() => this.#flush());
    if (this.#blocked()) this.#waiting = done;
    else done();
  }

  #flush(): void {
    clearImmediate(this.#flushAt);
    this.#flushAt = undefined;
    if (this.#batchBytes === 0) return;
    const frames = cutFrames(this.#batch, tunnelLimits.maxFrameBytes);
    this.#batch = [];
    this.#batchBytes = 0;
    for (const frame of frames) this.#send(frame);
  }

  #send(frame: Buffer): void {
    if (this.#call.destroyed || this.#call.writableEnded) return;
    this.bytesWritten += frame.length;
    if (this.#inFlightBytes === 0) this.#lastTakenMs = performance.now();
    this.#inFlightBytes += frame.length;
    this.#watchForStall();
    this.#call.write(frame, () => {
      this.#inFlightBytes -= frame.length;
      this.#lastTakenMs = performance.now();
      this.#proceed();
      this.#destroyWhenTaken();
    });
  }

  #blocked(): boolean {
    return this.#call.writableNeedDrain || this.#inFlightBytes >= tunnelLimits.maxInFlightBytes;
  }

  #proceed(): void {
    if (!this.#waiting || this.#blocked()) return;
    const done = this.#waiting;
    this.#waiting = undefined;
    done();
  }

  #watchForStall(): void {
    if (this.#stallTimer || this.destroyed) return;
    const look = () => {
      this.#stallTimer = undefined;
      if (this.#inFlightBytes === 0) return;
      const idleMs = performance.now() - this.#lastTakenMs;
      if (idleMs >= this.#stallMs) return void this.destroy(reset(`the peer took no bytes for ${this.#stallMs} ms`));
      this.#stallTimer = setTimeout(look, this.#stallMs - idleMs).unref();
    };
    this.#stallTimer = setTimeout(look, this.#stallMs).unref();
  }

  #endWhenBothDone(): void {
    if (this.#sentEnd && this.#receivedEnd) this.#call.end();
  }

  #callEnded(): void {
    if (this.#receivedEnd || this.destroyed) return;
    // A client learns the reason with the status, which follows the end of its messages.
    setImmediate(() => {
      if (!this.#receivedEnd) this.destroy(reset('the stream was cut by the peer'));
    });
  }

  #callFailed(error: Error): void {
    if (this.destroyed || (this.#sentEnd && this.#receivedEnd)) return;
    this.destroy('code' in error && 'details' in error && 'metadata' in error ? fromServiceError(error as never) : error);
  }

  #abort(error: Error | null): void {
    if ('cancel' in this.#call) this.#call.cancel();
    else if (this.#inFlightBytes > 0 && resetServerCall(this.#call)) return;
    else if (!this.#call.destroyed && !this.#call.writableEnded) this.#call.emit('error', statusFor(error));
    this.#call.resume();
  }
}

function statusFor(error: Error | null): object {
  if (error instanceof PosternError) return statusOf(error);
  return { code: grpcStatusOf.unavailable, details: 'the stream was closed' };
}

/** What node:http and tls expect of a connection that broke. */
function reset(message: string): NodeJS.ErrnoException {
  return Object.assign(new Error(message), { code: 'ECONNRESET' });
}
