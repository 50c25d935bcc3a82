import type { BodyTransform, SignatureRefusal } from '@postern/aws';
import type { BodyFailure, BodySink, Exchange } from '@postern/http';
import type { Pace } from '#bodies/pace.ts';
import { BODY_IDLE_MS } from '#config.ts';
import type { BodyFault, BodySource, BodyTarget } from '#forwarding/body-source.ts';

type BodyClient = Pick<Exchange, 'readBody' | 'pauseBody' | 'resumeBody' | 'sayContinue'>;

/** The body as the client sends it, verified and made anew on the way; the client is held back while AWS takes nothing. */
export class ClientSource implements BodySource, BodySink {
  readonly #exchange: BodyClient;
  readonly #transform: BodyTransform;
  readonly #mayRest: boolean;
  readonly #pace: Pace;
  #target: BodyTarget | undefined;
  #mayGoOn = true;
  #isPaused = false;
  /** Bytes of the client's body so far. */
  bytes = 0;

  /** `begin` makes the transform, whose bytes go where it is told. */
  constructor(
    exchange: BodyClient,
    begin: (send: (bytes: Buffer) => void) => BodyTransform,
    { mayRest, pace }: { readonly mayRest: boolean; readonly pace: Pace },
  ) {
    this.#exchange = exchange;
    this.#mayRest = mayRest;
    this.#pace = pace;
    this.#transform = begin((bytes) => {
      if (this.#target !== undefined) this.#mayGoOn = this.#target.write(bytes);
    });
  }

  /** Between two messages, and not within one of which a part is held here. */
  get mayRest(): boolean {
    return this.#mayRest && this.#transform.isBetween !== false;
  }

  /** Of a message that is not whole: it is held here meanwhile. */
  isLate(): boolean {
    return this.#transform.isBetween === false && this.#pace.isLate();
  }

  start(target: BodyTarget): void {
    this.#target = target;
    this.#exchange.sayContinue();
    this.#exchange.readBody(this);
  }

  drained(): void {
    this.#mayGoOn = true;
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#pace.goesOn();
    this.#exchange.resumeBody();
  }

  stop(): void {
    this.#target = undefined;
    this.#transform.stop?.();
  }

  onData(piece: Buffer): void {
    this.bytes += piece.length;
    if (this.#target === undefined) return;
    if (this.#transform.isBetween !== false) this.#pace.goesOn();
    const refusal = this.#transform.write(piece);
    if (refusal !== undefined) return this.#fail(faultOf(refusal));
    this.#pace.took(piece.length);
    if (this.#mayGoOn || this.#isPaused) return;
    this.#isPaused = true;
    this.#exchange.pauseBody();
  }

  onEnd(): void {
    if (this.#target === undefined) return;
    const refusal = this.#transform.end();
    if (refusal !== undefined) return this.#fail(faultOf(refusal));
    const target = this.#target;
    this.#target = undefined;
    target.end();
  }

  onFailed(why: BodyFailure): void {
    this.#fail(faults[why]);
  }

  #fail(fault: BodyFault): void {
    const target = this.#target;
    this.stop();
    target?.fail(fault);
  }
}

function faultOf({ kind, refusal }: SignatureRefusal): BodyFault {
  return { kind, reason: refusal };
}

const faults: Record<BodyFailure, BodyFault> = {
  idle: { kind: 'bad_request', reason: `the request body stopped for ${BODY_IDLE_MS / 1000} s` },
  late: { kind: 'bad_request', reason: 'a message of the request body, which is held until it is whole, comes too slowly' },
  malformed: { kind: 'bad_request', reason: 'the request body is malformed' },
  client_gone: { kind: 'bad_request', reason: 'the client left before its request was complete' },
};
