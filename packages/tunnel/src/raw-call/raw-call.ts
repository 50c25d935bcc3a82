import type { Http2Stream } from 'node:http2';
import { constants } from 'node:http2';
import { PosternError } from '@postern/api';
import { tunnelLimits } from '#limits.ts';
import type { ReceiveWindow } from '#raw-call/receive-window.ts';
import { MessageReader, type MessageSink, PREFIX_BYTES } from '#raw-call/message-reader.ts';

export interface Receiver extends MessageSink {
  /** Nothing comes any more: what the peer said of it, undefined where it said OK, was cut off, or was given up here. */
  over(error: PosternError | undefined): void;
}

/** Up to here a copy is cheaper than two more buffers on their way through Writable, HTTP/2 and TLS. */
const COPY_BYTES = 2 * 1024;

/**
 * One gRPC call whose messages are raw bytes, straight on its HTTP/2 stream, for either side. grpc-js spends 16 µs on a
 * message and copies it at each end; here the prefix is a chunk of its own and what comes is sliced. On the wire it is
 * gRPC, so that any peer may speak it.
 */
export abstract class RawCall {
  readonly stream: Http2Stream;
  readonly #window: ReceiveWindow;
  readonly #reader = new MessageReader(tunnelLimits.maxMessageBytes);
  #closeListeners: (() => void)[] = [];
  #receiver: Receiver | undefined;
  /** Read and not yet wanted. */
  #held: Buffer | undefined;
  #over = false;
  #error: PosternError | undefined;

  constructor(stream: Http2Stream, window: ReceiveWindow) {
    this.stream = stream;
    this.#window = window;
    stream.pause();
    stream.on('error', (error: NodeJS.ErrnoException) => this.broke(error));
    stream.on('data', (chunk: Buffer) => {
      this.#window.received(chunk.length);
      this.#take(chunk);
    });
    // A client learns the reason with the trailers, which may follow the end of the messages.
    stream.on('end', () => setImmediate(() => this.#finish()));
    stream.on('close', () => {
      this.#finish();
      this.#tellClosed();
    });
  }

  /** The stream is closed, however it came to that. */
  get closed(): boolean {
    return this.stream.destroyed || this.stream.closed;
  }

  /** Once, when the stream is closed, or this side has given it up. */
  onClose(listener: () => void): void {
    this.#closeListeners.push(listener);
  }

  /** From here on what comes goes to this receiver. */
  receive(receiver: Receiver): void {
    this.#receiver = receiver;
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined) this.#take(held);
    if (this.#over) this.#tell();
  }

  /** What comes waits for the next receiver. */
  hold(): void {
    this.#receiver = undefined;
    this.stream.pause();
  }

  pause(): void {
    if (!this.stream.isPaused()) this.stream.pause();
  }

  resume(): void {
    if (this.#held === undefined) this.stream.resume();
  }

  /** Given up from here: what still comes is thrown away, so that it holds nothing up. */
  protected giveUp(): void {
    const receiver = this.#receiver;
    this.#receiver = IGNORE;
    this.#held = undefined;
    this.stream.resume();
    receiver?.over(undefined);
    this.#tellClosed();
  }

  #tellClosed(): void {
    const listeners = this.#closeListeners;
    this.#closeListeners = [];
    for (const listener of listeners) listener();
  }

  /** One message; `taken` is called once HTTP/2 has taken it, not where the call broke first. */
  send(parts: readonly Buffer[], bytes: number, taken?: () => void): void {
    if (this.closed || this.stream.writableEnded) return;
    this.begin();
    const done = (error?: Error | null) => {
      if (!error) taken?.();
    };
    if (bytes <= COPY_BYTES) {
      const message = Buffer.allocUnsafe(PREFIX_BYTES + bytes);
      writePrefix(message, bytes);
      let at = PREFIX_BYTES;
      for (const part of parts) at += part.copy(message, at);
      this.stream.write(message, done);
      return;
    }
    const prefix = Buffer.allocUnsafe(PREFIX_BYTES);
    writePrefix(prefix, bytes);
    this.stream.cork();
    this.stream.write(prefix);
    const last = parts.length - 1;
    for (const [i, part] of parts.entries()) this.stream.write(part, i === last ? done : undefined);
    this.stream.uncork();
  }

  /** One message of one piece. */
  write(message: Buffer): void {
    this.send([message], message.length);
  }

  /** RST_STREAM: nothing more is sent or taken. */
  reset(): void {
    this.stream.close(constants.NGHTTP2_CANCEL);
    this.giveUp();
  }

  /** Ends this side with everything well. */
  abstract end(): void;
  /** Ends the call in both directions; a server's says why. */
  abstract fail(error: PosternError): void;
  /** The stream failed; that it is closed is told apart. */
  protected broke(_error: NodeJS.ErrnoException): void {}
  /** Called before each message. */
  protected begin(): void {}
  /** What the peer gave as the reason. */
  protected abstract outcome(): PosternError | undefined;

  #take(chunk: Buffer): void {
    if (this.#receiver === IGNORE) return;
    if (this.#receiver === undefined) {
      this.#held = this.#held === undefined ? chunk : Buffer.concat([this.#held, chunk]);
      this.stream.pause();
      return;
    }
    try {
      const rest = this.#reader.take(chunk, this.#receiver);
      if (rest === undefined || this.#receiver === IGNORE) return;
      this.#held = rest;
      this.stream.pause();
    } catch (error) {
      this.#error = error instanceof PosternError ? error : new PosternError('internal', 'the stream could not be read', { cause: error });
      this.#over = true;
      this.#tell();
      this.fail(this.#error);
    }
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.#error = this.outcome();
    this.#tell();
  }

  #tell(): void {
    if (this.#held !== undefined) return;
    const receiver = this.#receiver;
    if (receiver === undefined) return;
    this.#receiver = IGNORE;
    receiver.over(this.#error);
  }
}

const IGNORE: Receiver = { part: () => undefined, end: () => true, over: () => undefined };

function writePrefix(to: Buffer, bytes: number): void {
  to[0] = 0;
  to.writeUInt32BE(bytes, 1);
}

/** Every message of a call, whole, for as long as it lasts. */
export function receiveMessages(
  call: RawCall,
  to: { readonly message: (bytes: Buffer) => void; readonly over: (error: PosternError | undefined) => void },
): void {
  let parts: Buffer[] = [];
  call.receive({
    part: (bytes) => void parts.push(bytes),
    end() {
      const message = joined(parts);
      parts = [];
      to.message(message);
      return true;
    },
    over: to.over,
  });
  call.resume();
}

function joined(parts: readonly Buffer[]): Buffer {
  return parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
}

/** The next message of a call, whole; what follows it waits. Rejects where the call ends or the signal is aborted first. */
export function firstMessage(call: RawCall, signal: AbortSignal, from: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    const late = () => fail(new PosternError('unavailable', `${from} did not answer in time`));
    const settle = () => signal.removeEventListener('abort', late);
    const fail = (error: PosternError) => {
      settle();
      reject(error);
    };
    signal.addEventListener('abort', late, { once: true });
    if (signal.aborted) return late();
    call.receive({
      part: (bytes) => void parts.push(bytes),
      end() {
        settle();
        call.hold();
        resolve(joined(parts));
        return false;
      },
      over: (error) => fail(error ?? new PosternError('unavailable', `${from} closed the stream`)),
    });
    call.resume();
  });
}
