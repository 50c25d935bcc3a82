import type { Duplex } from 'node:stream';
import { PosternError } from '@postern/api';
import {
  type AnswerHandler,
  type AnswerHead,
  answerHead,
  type AnswerObserver,
  type Exchange,
  type Flight,
  UNSAID,
  type Upstream,
  type UpstreamFailure,
} from '@postern/http';
import type { Outcome } from '#audit/outcome.ts';
import type { Refused } from '#authorise/authorizer.ts';
import type { Permit } from '#authorise/permit.ts';
import { errorCodeOf } from '#session/live-session.ts';

/** One whose context names the stream that it came on, where somebody at its far end is to be told why it is cut. */
export type AnsweredExchange = Exchange<{ readonly stream: Duplex } | undefined>;

export interface AnswerRelayInput {
  readonly exchange: AnsweredExchange;
  /** The client asked for it, so a small answer is worth a look. */
  readonly wantsCapacity: boolean;
  /** Is shown the content of the answer, as it passes. */
  readonly tap?: (piece: Buffer) => void;
  /** What may end an answer that will not be whole; undefined where it can only be cut. */
  readonly lastWords?: (failure: UpstreamFailure) => Buffer | undefined;
  /** The Date header of an answer that is an error of the client's: AWS refuses a signature whose time is far from its own. */
  readonly onErrorDate?: (date: string) => void;
}

export interface RelayInput extends AnswerRelayInput {
  readonly upstream: Upstream;
  readonly method: string;
  /** Path and query as they are signed. */
  readonly target: string;
  /** As the signer made them: flat, Host included. */
  readonly headers: readonly string[];
  readonly body: Buffer;
  /** Ends the request where it ends. */
  readonly permit: Permit;
}

/**
 * Step 9: sends one signed request whose body is whole and streams the answer to the client. Nothing is sent twice: a client's
 * SDK knows what may be repeated, and we do not. Resolves when the answer has been handed on or is lost; where nothing has
 * been answered yet the caller still may.
 */
export function relay(input: RelayInput): Promise<Outcome> {
  if (input.exchange.isGone) return Promise.resolve({ kind: 'not_sent', reason: 'the client left' });
  return new Promise((resolve) => {
    const handler = new AnswerRelay(input, resolve);
    const { upstream, method, target, headers, body, permit } = input;
    handler.flight = upstream.send({ method, target, fields: headers, body }, handler);
    permit.onCut((why) => handler.cut(why));
  });
}

/** What ends at this hop (RFC 9110 7.6.1). Transfer-Encoding is not among them: the chunks are passed on as they are. */
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'te', 'trailer', 'upgrade']);
/** Answers above this are not looked into for their consumed capacity. */
const SMALL_BYTES = 16 * 1024;

/**
 * One answer on its way to the client, byte for byte; either side may hold the other back. Set `flight` when the request is sent.
 * Of HTTP/1.1 the bytes of the wire are passed on as they came, to a client of HTTP/2 the head and the content.
 */
export class AnswerRelay implements AnswerHandler, AnswerObserver {
  readonly #exchange: AnsweredExchange;
  readonly wantsData: boolean;
  readonly #tap: AnswerRelayInput['tap'];
  readonly #lastWords: AnswerRelayInput['lastWords'];
  readonly #onErrorDate: AnswerRelayInput['onErrorDate'];
  readonly #resolve: (outcome: Outcome) => void;
  flight: Flight | undefined;
  #status = 0;
  #awsRequestId = '';
  /** Where AWS's own head cannot be passed on as it came. */
  #ownHead: string | undefined;
  #only: Buffer | undefined;
  #pieces = 0;

  constructor(input: AnswerRelayInput, resolve: (outcome: Outcome) => void) {
    this.#exchange = input.exchange;
    this.wantsData = input.wantsCapacity || input.tap !== undefined || input.exchange.isHttp2;
    this.#tap = input.tap;
    this.#lastWords = input.lastWords;
    this.#onErrorDate = input.onErrorDate;
    this.#resolve = resolve;
    this.#exchange.observer = this;
  }

  onGone(): void {
    this.flight?.abort('the client left');
  }

  /** Ends it both ways. In the middle of an answer of HTTP/1.1 only the connection can say why: its far end is told as when a session ends. */
  cut(why: Refused): void {
    const { started, isHttp2, context } = this.#exchange;
    if (started && !isHttp2) context?.stream.destroy(new PosternError(errorCodeOf(why), why.reason));
    this.flight?.abort(why.reason);
  }

  onDrain(): void {
    this.flight?.resume();
  }

  onHead(head: AnswerHead): void {
    this.#status = head.status;
    if (head.length === UNSAID) this.#exchange.readNoMore();
    // Readers are choosy about a first line without a reason: it is written anew.
    let isPassable =
      !head.isHttp10 &&
      head.reason !== '' &&
      !this.#exchange.closesAfter &&
      (head.connection === undefined || head.connection === 'keep-alive');
    let date: string | undefined;
    const { fields } = head;
    for (let at = 0; at < fields.length; at += 2) {
      const lower = lowerCased(fields[at] ?? '');
      if (lower === 'date') date = fields[at + 1] ?? '';
      else if (lower === 'x-amzn-requestid' || lower === 'x-amz-request-id') this.#awsRequestId = (fields[at + 1] ?? '').slice(0, 128);
      else if (lower !== 'connection' && HOP_BY_HOP.has(lower)) isPassable = false;
    }
    if (this.#exchange.isHttp2) this.#exchange.begin(head.status, undefined, this.#keptFields(head, date !== undefined));
    else if (!isPassable || date === undefined)
      this.#ownHead = answerHead(head.status, head.reason, this.#keptFields(head, date !== undefined));
    if (date !== undefined && head.status >= 400 && head.status < 500) this.#onErrorDate?.(date);
  }

  #keptFields({ fields, connection }: AnswerHead, hasDate: boolean): string[] {
    const kept: string[] = [];
    const dropped = connection?.split(',').map((name) => name.trim());
    for (let at = 0; at < fields.length; at += 2) {
      const name = fields[at] ?? '';
      const lower = lowerCased(name);
      // What frames the answer stays, whatever Connection names.
      const frames = lower === 'content-length' || lower === 'transfer-encoding';
      if (frames || !(HOP_BY_HOP.has(lower) || dropped?.includes(lower))) kept.push(name, fields[at + 1] ?? '');
    }
    // RFC 9110 6.6.1: SDKs set their clock by it.
    if (!hasDate) kept.push('Date', new Date().toUTCString());
    if (this.#exchange.closesAfter) kept.push('Connection', 'close');
    return kept;
  }

  onWire(bytes: Buffer, headBytes: number): void {
    if (this.#exchange.isHttp2) return;
    let rest = bytes;
    if (headBytes > 0 && this.#ownHead !== undefined) {
      this.#exchange.write(Buffer.from(this.#ownHead, 'latin1'));
      rest = bytes.subarray(headBytes);
    }
    if (rest.length > 0 && !this.#exchange.write(rest)) this.flight?.pause();
  }

  onData(piece: Buffer): void {
    this.#tap?.(piece);
    if (this.#exchange.isHttp2 && !this.#exchange.write(piece)) this.flight?.pause();
    this.#pieces += 1;
    this.#only = this.#pieces === 1 ? piece : undefined;
  }

  onEnd(bytes: number): void {
    this.#exchange.end();
    const capacity = this.#consumedCapacity(bytes);
    const outcome = { kind: 'answered' as const, status: this.#status, awsRequestId: this.#awsRequestId, bytes };
    this.#resolve(capacity === undefined ? outcome : { ...outcome, consumedCapacity: capacity });
  }

  onFailed(failure: UpstreamFailure): void {
    const left = this.#exchange.isGone;
    if (!failure.mayHaveLeft && this.#status === 0)
      return this.#resolve({ kind: 'not_sent', reason: left ? 'the client left' : describe(failure) });
    // Part of an answer was passed on: the client must see it cut, not ended.
    if (this.#status !== 0) this.#endEarly(failure);
    this.#resolve({
      kind: 'unknown',
      reason: left ? 'the client left before the answer was complete' : describe(failure),
      awsRequestId: this.#awsRequestId,
      bytes: failure.bytes,
      ...(this.#status === 0 ? {} : { status: this.#status }),
    });
  }

  #endEarly(failure: UpstreamFailure): void {
    const words = this.#lastWords?.(failure);
    if (words === undefined) return this.#exchange.cut();
    this.#exchange.write(words);
    this.#exchange.end();
  }

  /** Only where the whole answer came as one small plain piece; nothing is kept back for it. */
  #consumedCapacity(bytes: number): unknown {
    const body = this.#only;
    if (!body || body.length > SMALL_BYTES || body.length !== bytes || body[0] !== 0x7b || !body.includes('"ConsumedCapacity"'))
      return undefined;
    try {
      return (JSON.parse(body.toString('utf8')) as { ConsumedCapacity?: unknown }).ConsumedCapacity;
    } catch {
      return undefined;
    }
  }
}

/** AWS's own few spellings; whatever else comes does not make it grow. */
const MAX_SPELLINGS = 256;
const spellings = new Map<string, string>();

function lowerCased(name: string): string {
  const known = spellings.get(name);
  if (known !== undefined) return known;
  const lower = name.toLowerCase();
  if (spellings.size < MAX_SPELLINGS && name.length <= 64) spellings.set(name, lower);
  return lower;
}

function describe({ code, reason }: UpstreamFailure): string {
  if (code === 'headers_timeout') return 'AWS did not answer in time';
  if (code === 'idle_timeout') return 'AWS stopped in the middle of its answer';
  if (code === 'connect_timeout') return 'AWS could not be reached in time';
  return reason;
}
