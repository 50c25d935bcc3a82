import { Duplex } from 'node:stream';
import { PosternError } from '@postern/api';
import { tunnelLimits } from '#limits.ts';
import type { RawCall } from '#raw-call/raw-call.ts';
import { youngMemory } from '#young-memory.ts';

export interface ByteStreamOptions {
  /** host:port of whoever is at the far end, as the relay saw it. */
  readonly remoteAddress?: string;
  /** Bytes may wait for the peer for so long; then the stream is reset. */
  readonly stallMs?: number;
  /** Bytes handed to HTTP/2 and not yet taken; for whoever has many streams that may all stand still. */
  readonly maxInFlightBytes?: number;
  /** Bytes were handed to the call, or came out of it. */
  readonly onSent?: (bytes: number) => void;
  readonly onReceived?: () => void;
}

/**
 * A Duplex of bytes over a call of raw messages, for either side of it. tls.Server, tls.connect, http2 and node:http
 * take it as a socket.
 *
 * A gRPC server that ends a call ends it in both directions, so half-close is said within: an empty message means
 * "no more bytes from this side". Once both sides have said so the call is ended with status OK. A call that ends
 * in any other way destroys the stream: cut bytes are never taken for a complete answer.
 */
export function byteStream(call: RawCall, options: ByteStreamOptions = {}): ByteStream {
  return new ByteStream(call, options);
}

type Done = (error?: Error | null) => void;
const { maxFrameBytes } = tunnelLimits;

export class ByteStream extends Duplex {
  readonly remoteAddress: string | undefined;
  readonly #call: RawCall;
  readonly #stallMs: number;
  readonly #maxInFlightBytes: number;
  readonly #options: ByteStreamOptions;
  /** Written and not yet sent, in order. */
  #batch: Buffer[] = [];
  #batchBytes = 0;
  #pumpIsDue = false;
  #inFlightBytes = 0;
  /** Of the write, or of the end, that waits until there is room. */
  #waiting: Done | undefined;
  #finishing: Done | undefined;
  #receivedEnd = false;
  #sentEnd = false;
  #endsSoon = false;
  #stallTimer: NodeJS.Timeout | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #lastTakenMs = 0;
  bytesRead = 0;
  bytesWritten = 0;

  constructor(call: RawCall, options: ByteStreamOptions) {
    super({ allowHalfOpen: true, readableHighWaterMark: maxFrameBytes, writableHighWaterMark: maxFrameBytes });
    this.#call = call;
    this.#options = options;
    this.#stallMs = options.stallMs ?? tunnelLimits.stallMs;
    this.#maxInFlightBytes = options.maxInFlightBytes ?? tunnelLimits.maxInFlightBytes;
    this.remoteAddress = options.remoteAddress;
    call.receive({
      part: (bytes) => this.#receive(bytes),
      end: (messageBytes) => {
        if (messageBytes === 0) this.#peerIsDone();
        return true;
      },
      over: (error) => this.#callEnded(error),
    });
  }

  override _read(): void {
    this.#call.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#batch.push(chunk);
    this.#batchBytes += chunk.length;
    this.#accepted(done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: Done): void {
    for (const { chunk } of chunks) {
      this.#batch.push(chunk);
      this.#batchBytes += chunk.length;
    }
    this.#accepted(done);
  }

  override _final(done: Done): void {
    this.#finishing = done;
    this.#pump();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearTimeout(this.#stallTimer);
    clearTimeout(this.#idleTimer);
    this.#batch = [];
    this.#batchBytes = 0;
    const bothDone = this.#sentEnd && this.#receivedEnd;
    if (!bothDone) this.#abort(error);
    const waiting = this.#waiting ?? this.#finishing;
    this.#waiting = undefined;
    this.#finishing = undefined;
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

  #receive(bytes: Buffer): void {
    if (this.destroyed || this.#receivedEnd) return;
    this.#options.onReceived?.();
    this.#idleTimer?.refresh();
    this.bytesRead += bytes.length;
    youngMemory.passed(bytes.length);
    if (!this.push(bytes)) this.#call.pause();
  }

  #peerIsDone(): void {
    if (this.destroyed || this.#receivedEnd) return;
    this.#receivedEnd = true;
    this.push(null);
    this.#endWhenBothDone();
  }

  /** What is written in one go leaves as one message. */
  #accepted(done: Done): void {
    this.#idleTimer?.refresh();
    if (this.#batchBytes >= maxFrameBytes) this.#pump();
    else if (!this.#pumpIsDue) {
      this.#pumpIsDue = true;
      process.nextTick(() => {
        this.#pumpIsDue = false;
        this.#pump();
      });
    }
    if (this.#blocked()) this.#waiting = done;
    else done();
  }

  /** Hands on as much as may be under way; what is beyond that waits here, where a peer that stalls is noticed. */
  #pump(): void {
    if (this.destroyed) return;
    const { stream } = this.#call;
    const several = this.#batchBytes > maxFrameBytes;
    if (several) stream.cork();
    while (this.#batchBytes > 0 && this.#inFlightBytes < this.#maxInFlightBytes) this.#sendFrame();
    if (several) stream.uncork();
    if (this.#batchBytes > 0) return;
    const finished = this.#finishing;
    if (finished === undefined || this.#sentEnd) return;
    this.#finishing = undefined;
    this.#send([], 0);
    this.#sentEnd = true;
    this.#endWhenBothDone();
    finished();
  }

  /** A frame takes whole chunks and, where it would be too large, a part of the last: nothing is joined or copied. */
  #sendFrame(): void {
    if (this.#batchBytes <= maxFrameBytes) {
      const [parts, bytes] = [this.#batch, this.#batchBytes];
      this.#batch = [];
      this.#batchBytes = 0;
      return this.#send(parts, bytes);
    }
    const parts: Buffer[] = [];
    let bytes = 0;
    let whole = 0;
    for (let chunk = this.#batch[whole]; chunk !== undefined && bytes < maxFrameBytes; chunk = this.#batch[whole]) {
      const room = maxFrameBytes - bytes;
      const part = chunk.length <= room ? chunk : chunk.subarray(0, room);
      parts.push(part);
      bytes += part.length;
      if (part === chunk) whole += 1;
      else this.#batch[whole] = chunk.subarray(room);
    }
    this.#batch.splice(0, whole);
    this.#batchBytes -= bytes;
    this.#send(parts, bytes);
  }

  #send(parts: readonly Buffer[], bytes: number): void {
    this.bytesWritten += bytes;
    youngMemory.passed(bytes);
    this.#options.onSent?.(bytes);
    if (this.#inFlightBytes === 0) this.#lastTakenMs = performance.now();
    this.#inFlightBytes += bytes;
    if (bytes > 0) this.#watchForStall();
    this.#call.send(parts, bytes, () => {
      this.#inFlightBytes -= bytes;
      this.#lastTakenMs = performance.now();
      this.#pump();
      this.#proceed();
      this.#destroyWhenTaken();
    });
  }

  #blocked(): boolean {
    return this.#batchBytes >= maxFrameBytes || this.#inFlightBytes >= this.#maxInFlightBytes;
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

  #callEnded(error: PosternError | undefined): void {
    if (this.destroyed || (this.#receivedEnd && this.#sentEnd)) return;
    this.destroy(error ?? reset('the stream was cut by the peer'));
  }

  /** A status would wait behind bytes that the peer does not take, and the stream stay for as long as the connection does. */
  #abort(error: Error | null): void {
    if (this.#inFlightBytes > 0) this.#call.reset();
    else this.#call.fail(error instanceof PosternError ? error : new PosternError('unavailable', 'the stream was closed'));
  }
}

/** What node:http and tls expect of a connection that broke. */
function reset(message: string): NodeJS.ErrnoException {
  return Object.assign(new Error(message), { code: 'ECONNRESET' });
}
