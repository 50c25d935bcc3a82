import { type AnsweredExchange, AnswerRelay, type Outcome, type Permit, type Refused } from '@postern/agent';
import { EventBoundaries, eventRefusal } from '@postern/aws';
import { type AnswerHandler, type AnswerHead, type Flight, type Upstream, type UpstreamFailure } from '@postern/http';
import { CONTINUE_MS } from '#config.ts';
import type { BodyFault, BodySource, BodyTarget } from '#forwarding/body-source.ts';
import { kindOf } from '#requests/refusals.ts';

export interface SendStreamedInput {
  readonly upstream: Upstream;
  readonly method: string;
  /** Path and query as they are signed. */
  readonly target: string;
  /** As the signer made them: flat, Host and the frame of the body included. */
  readonly headers: readonly string[];
  /** The frame is chunked coding, written here where the protocol has no frames of its own. */
  readonly isChunked: boolean;
  /** Ask AWS whether it wants the body, and wait a moment for its word. */
  readonly asksFirst: boolean;
  readonly source: BodySource;
  /** Messages both ways: those that have left were acted on, whatever becomes of the rest, and a failure can be told in a message. */
  readonly isConversation: boolean;
  readonly exchange: AnsweredExchange;
  /** Ends the request where it ends. */
  readonly permit: Permit;
  readonly onErrorDate: (date: string) => void;
}

export type StreamedOutcome = { readonly outcome: Outcome /** Why the body was cut off. */; readonly fault?: BodyFault };

/**
 * Step 9 for a body that is not at hand: AWS takes it as it comes, and its answer goes back as it comes. An early answer that is no
 * success ends the sending. Nothing is sent twice. Resolves when the answer has been handed on or is lost.
 */
export function sendStreamed(input: SendStreamedInput): Promise<StreamedOutcome> {
  if (input.exchange.isGone) return Promise.resolve({ outcome: { kind: 'not_sent', reason: 'the client left' } });
  return new Promise((resolve) => {
    const sending = new Sending({ ...input, isChunked: input.isChunked && !input.upstream.isHttp2 }, resolve);
    const { upstream, method, target, asksFirst, headers } = input;
    const fields = asksFirst ? [...headers, 'expect', '100-continue'] : headers;
    sending.begin(upstream.send({ method, target, fields, body: NOTHING, isStreamed: true }, sending));
    input.permit.onCut((why) => sending.cut(why));
  });
}

const NOTHING = Buffer.alloc(0);
const LAST_CHUNK = Buffer.from('0\r\n\r\n');
const CRLF = Buffer.from('\r\n');

class Sending implements AnswerHandler, BodyTarget {
  readonly wantsData: boolean;
  readonly #input: SendStreamedInput;
  readonly #answer: AnswerRelay;
  #flight: Flight | undefined;
  #fault: BodyFault | undefined;
  #boundaries: EventBoundaries | undefined;
  #hasLeft = false;
  #hasStarted = false;
  #hasEnded = false;
  #continueTimer: NodeJS.Timeout | undefined;

  constructor(input: SendStreamedInput, resolve: (result: StreamedOutcome) => void) {
    this.#input = input;
    this.wantsData = input.exchange.isHttp2;
    const { exchange, onErrorDate, isConversation } = input;
    const lastWords = (failure: UpstreamFailure) => this.#lastWords(failure);
    this.#answer = new AnswerRelay({ exchange, wantsCapacity: false, onErrorDate, lastWords }, (outcome) => {
      const fault = this.#fault;
      if (fault === undefined) return resolve({ outcome });
      if (isConversation || this.#hasEnded) return resolve({ outcome, fault });
      // What was cut before its last byte is nothing to AWS, unless it has answered all the same.
      const isNothing = outcome.kind === 'unknown' && outcome.status === undefined;
      const reason = `${fault.reason}; the request was cut before its end`;
      resolve({ outcome: isNothing ? { kind: 'not_sent', reason } : outcome, fault });
    });
  }

  #lastWords({ reason }: UpstreamFailure): Buffer | undefined {
    if (this.#boundaries?.between !== true) return undefined;
    const { kind, reason: told } = this.#fault ?? { kind: 'unavailable', reason: `the answer of AWS was lost: ${reason}` };
    return eventRefusal(kind, told);
  }

  begin(flight: Flight): void {
    this.#flight = flight;
    this.#answer.flight = flight;
  }

  onDrain(): void {
    if (this.#hasStarted) return this.#input.source.drained();
    if (!this.#input.asksFirst) return this.#start();
    // Not every hop answers the question: the client is not kept waiting for longer than clients wait.
    if (!this.#hasLeft) this.#continueTimer = setTimeout(() => this.#start(), CONTINUE_MS);
    this.#hasLeft = true;
  }

  onInterim(status: number): void {
    if (status === 100) this.#start();
  }

  #start(): void {
    clearTimeout(this.#continueTimer);
    if (this.#hasStarted) return;
    this.#hasStarted = true;
    this.#input.source.start(this);
  }

  write(bytes: Buffer): boolean {
    const flight = this.#flight;
    if (flight === undefined || bytes.length === 0) return flight !== undefined;
    if (!this.#input.isChunked) return flight.write(bytes);
    return flight.write(Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`, 'latin1'), bytes, CRLF]));
  }

  end(): void {
    this.#hasEnded = true;
    if (this.#input.isChunked) this.#flight?.write(LAST_CHUNK);
    this.#flight?.endRequest();
  }

  cut(why: Refused): void {
    this.#fault ??= { kind: kindOf(why), reason: why.reason };
    this.#stop();
    this.#answer.cut(why);
  }

  fail(fault: BodyFault): void {
    this.#fault = fault;
    this.#flight?.abort(fault.reason);
  }

  onHead(head: AnswerHead): void {
    clearTimeout(this.#continueTimer);
    if (head.status >= 300 || !this.#hasStarted) this.#stop();
    else if (this.#input.isConversation && this.wantsData && isEventStream(head)) this.#boundaries = new EventBoundaries();
    this.#answer.onHead(head);
  }

  onWire(bytes: Buffer, headBytes: number): void {
    this.#answer.onWire(bytes, headBytes);
  }

  onData(piece: Buffer): void {
    this.#boundaries?.take(piece);
    this.#answer.onData(piece);
  }

  onEnd(bytes: number): void {
    this.#stop();
    this.#answer.onEnd(bytes);
  }

  onFailed(failure: UpstreamFailure): void {
    this.#stop();
    this.#answer.onFailed(failure);
  }

  #stop(): void {
    clearTimeout(this.#continueTimer);
    this.#hasStarted = true;
    this.#input.source.stop();
  }
}

function isEventStream({ fields }: AnswerHead): boolean {
  const at = fields.findIndex((name, i) => i % 2 === 0 && name.toLowerCase() === 'content-type');
  return at >= 0 && fields[at + 1]?.startsWith('application/vnd.amazon.eventstream') === true;
}
