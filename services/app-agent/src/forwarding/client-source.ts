import type { BodyFailure, BodySink, Exchange } from '@postern/http';
import { BODY_IDLE_MS } from '#config.ts';
import type { BodyFault, BodySource, BodyTarget } from '#forwarding/body-source.ts';

/** Makes the bytes that are sent out of those that come. What is not what was signed throws BodyError. */
export interface BodyTransform {
  /** What may leave now; what is not yet known to be right is kept back. */
  push(piece: Buffer): readonly Buffer[];
  /** The client has sent all: what was kept back, checked. */
  end(): readonly Buffer[];
}

/** A body that is not what its signature says. The message is shown to the client. */
export class BodyError extends Error {
  override readonly name = 'BodyError';
  readonly code: 'mismatch' | 'malformed';
  constructor(code: BodyError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/** The body as the client sends it, through a transform; the client is held back while AWS takes nothing. */
export class ClientSource implements BodySource, BodySink {
  readonly #exchange: Pick<Exchange, 'readBody' | 'pauseBody' | 'resumeBody' | 'sayContinue'>;
  readonly #transform: BodyTransform;
  #target: BodyTarget | undefined;
  #isPaused = false;
  /** Bytes of the client's body so far. */
  bytes = 0;

  constructor(exchange: Pick<Exchange, 'readBody' | 'pauseBody' | 'resumeBody' | 'sayContinue'>, transform: BodyTransform) {
    this.#exchange = exchange;
    this.#transform = transform;
  }

  start(target: BodyTarget): void {
    this.#target = target;
    this.#exchange.sayContinue();
    this.#exchange.readBody(this);
  }

  drained(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#exchange.resumeBody();
  }

  stop(): void {
    this.#target = undefined;
  }

  onData(piece: Buffer): void {
    this.bytes += piece.length;
    this.#pass(() => this.#transform.push(piece));
  }

  onEnd(): void {
    this.#pass(() => this.#transform.end());
    const target = this.#target;
    this.#target = undefined;
    target?.end();
  }

  onFailed(why: BodyFailure): void {
    this.#fail(faults[why]);
  }

  #pass(make: () => readonly Buffer[]): void {
    const target = this.#target;
    if (target === undefined) return;
    let made: readonly Buffer[];
    try {
      made = make();
    } catch (error) {
      if (!(error instanceof BodyError)) throw error;
      return this.#fail({ code: error.code, reason: error.message });
    }
    let mayGoOn = true;
    for (const bytes of made) mayGoOn = target.write(bytes);
    if (mayGoOn || this.#isPaused || this.#target === undefined) return;
    this.#isPaused = true;
    this.#exchange.pauseBody();
  }

  #fail(fault: BodyFault): void {
    const target = this.#target;
    this.#target = undefined;
    target?.fail(fault);
  }
}

const faults: Record<BodyFailure, BodyFault> = {
  idle: { code: 'idle', reason: `the request body stopped for ${BODY_IDLE_MS / 1000} s` },
  late: { code: 'idle', reason: 'the request body did not arrive in time' },
  malformed: { code: 'malformed', reason: 'the request body is not valid HTTP/1.1' },
  client_gone: { code: 'client_gone', reason: 'the client left before its request was complete' },
};
