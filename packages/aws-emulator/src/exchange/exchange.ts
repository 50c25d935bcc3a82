import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { TLSSocket } from 'node:tls';

import type { KnownCredentials } from '#credential-book.ts';
import type { Conversation } from '#exchange/conversation.ts';
import type { RawLog } from '#exchange/raw-log.ts';
import { type BodyRead, MemorySink, type ReadingBody, readBody } from '#exchange/read-body.ts';
import { type RequestHead, header, readHead } from '#exchange/request-head.ts';
import type { Call, HeadCall, Intake, Service } from '#exchange/service.ts';
import { sendAnswer } from '#exchange/send-answer.ts';
import { faultOf } from '#exchange/fault.ts';
import type { AwsHost } from '#hosts/aws-host.ts';
import type { Modes } from '#modes.ts';
import type { Mode, RawLogEntry } from '#options.ts';
import { type Answer, AwsError } from '#protocols/aws-error.ts';
import { errorAnswer } from '#protocols/error-answer.ts';
import { AwsChunked } from '#sigv4/aws-chunked.ts';
import { ChunkChain } from '#sigv4/chunk-chain.ts';
import { isUnsigned } from '#sigv4/claim.ts';
import { type PayloadMode, payloadModeName } from '#sigv4/payload-mode.ts';
import { SignedEvents } from '#sigv4/signed-events.ts';
import { type Verified, verifyHead } from '#sigv4/verify.ts';

export interface ExchangeParts {
  readonly log: RawLog;
  readonly modes: Modes;
  readonly nowMs: () => number;
  readonly find: (accessKeyId: string) => KnownCredentials | undefined;
  readonly route: (head: RequestHead) => { readonly host: AwsHost; readonly service: Service };
}

const emptyRead: BodyRead = {
  sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  bytes: 0,
  wireBytes: 0,
  trailer: new Map(),
};
const defaultMaxBodyBytes = 6 * 1024 * 1024;
/** So much of a body that nobody wants is read, so that the connection can go on. */
const smallBodyBytes = 65_536;
const lingerMs = 1000;
/** Headers whose values are not for the raw log. */
const hidden: readonly string[] = ['cookie'];

/** The life of one request: routed, its head verified, its body read and verified, logged, carried out, answered. */
export class Exchange {
  readonly #parts: ExchangeParts;
  readonly #message: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #requestId = randomBytes(39).toString('base64').toUpperCase().replaceAll(/[+/]/gu, '0');
  readonly #head: RequestHead;
  readonly #seen: { -readonly [K in keyof RawLogEntry]?: RawLogEntry[K] } = {};
  #service: Service | undefined;
  #mode: Mode | undefined;
  #logged = false;
  #bodyDone = false;
  /** The answer is on its way while the body still comes. */
  #converses = false;
  #read = emptyRead;

  constructor(parts: ExchangeParts, message: IncomingMessage, response: ServerResponse) {
    this.#parts = parts;
    this.#message = message;
    this.#response = response;
    this.#head = readHead(message);
  }

  async run(expectsContinue: { readonly continue: boolean }): Promise<void> {
    let answer: Answer;
    try {
      answer = await this.#answer(expectsContinue.continue);
    } catch (error) {
      if (!(error instanceof AwsError)) {
        if (!this.#logged) this.#record({ verified: false, refusal: 'IncompleteBody' });
        throw error;
      }
      if (!this.#logged) this.#record({ verified: false, refusal: error.code });
      answer = errorAnswer(error, this.#service?.protocol(this.#head) ?? fallbackProtocol(this.#head), this.#requestId);
    }
    const closes = !this.#bodyDone && !this.#converses && !(await this.#discardSmallBody(expectsContinue.continue));
    const acceptsGzip = /\bgzip\b/u.test(header(this.#head, 'accept-encoding') ?? '');
    const sent = sendAnswer(this.#response, answer, {
      method: this.#head.method,
      headers: this.#answerHeaders(),
      dynamodb: this.#service?.dynamodb === true ? { acceptsGzip } : undefined,
      mode: this.#mode,
      closes: closes && !this.#isHttp2,
    });
    await sent;
    if (closes && !this.#isHttp2) await this.#linger();
  }

  async #answer(expectsContinue: boolean): Promise<Answer> {
    const { host, service } = this.#parts.route(this.#head);
    this.#service = service;
    this.#seen.service = host.service;
    const call = this.#verifyHead(host, service);
    const { verified } = call;
    if (verified instanceof AwsError) {
      // The others read what they refuse, so that the connection can go on.
      if (service.early !== true) if (!expectsContinue) await this.#readSmall(service, host);
      throw verified;
    }
    if (service.early === true) this.#takeMode(call, Buffer.alloc(0));
    const early = service.early === true ? faultOf(this.#mode) : undefined;
    const headCall: HeadCall = { ...call, mode: this.#mode };
    if (early !== undefined) return this.#fault(early);
    const conversation = verified === undefined ? undefined : service.converse?.(headCall);
    if (verified !== undefined && conversation !== undefined) return this.#converse(conversation, verified);
    const intake = service.intake?.(headCall);
    try {
      return await this.#carryOut({ call: headCall, verified, service, intake, expectsContinue });
    } catch (error) {
      intake?.abandon();
      throw error;
    }
  }

  async #carryOut({ call, verified, service, intake, expectsContinue }: Carrying): Promise<Answer> {
    const memory = new MemorySink(service.maxBodyBytes ?? defaultMaxBodyBytes);
    if (expectsContinue) this.#continue();
    this.#read = await readBody(this.#message, {
      sink: intake?.sink ?? memory,
      ...(intake?.checksums === undefined ? {} : { checksums: intake.checksums }),
      decoder: decoderOf(verified, this.#parts.nowMs),
    });
    this.#bodyDone = true;
    const body = memory.body();
    const operation = service.operationOf(this.#head, call.host, body);
    this.#seen.operation = operation;
    verified?.seal(this.#read.sha256);
    if (verified === undefined && service.anonymous?.(operation) !== true)
      throw new AwsError('MissingAuthenticationTokenException', 'Request is missing Authentication Token');
    if (service.early !== true) this.#takeMode(call, body);
    const whole: Call = { ...call, operation, body, read: this.#read, mode: this.#mode };
    this.#record({ verified: true, ...service.logged?.(whole) });
    const fault = service.early === true ? undefined : faultOf(this.#mode);
    if (fault !== undefined) return this.#fault(fault);
    return intake === undefined ? service.answer(whole) : intake.answer(whole);
  }

  /** Logged at its end, when it is known what all of it was. */
  #converse(conversation: Conversation, verified: Verified<KnownCredentials>): Answer {
    this.#converses = true;
    readBody(this.#message, { sink: conversation.sink, decoder: decoderOf(verified, this.#parts.nowMs) }).then(
      (read) => {
        this.#read = read;
        this.#record({ verified: true });
        conversation.end();
      },
      (error: unknown) => {
        const refusal = error instanceof AwsError ? error : new AwsError('IncompleteBody', 'the client left');
        this.#record({ verified: false, refusal: refusal.code });
        conversation.fail(refusal);
      },
    );
    return conversation.answer;
  }

  get #isHttp2(): boolean {
    return this.#message.httpVersionMajor === 2;
  }

  /** Verifies what the head tells. A refusal is returned, because some services read the body all the same. */
  #verifyHead(
    host: AwsHost,
    service: Service,
  ): Omit<HeadCall, 'mode'> & { readonly verified: Verified<KnownCredentials> | AwsError | undefined } {
    const { nowMs, find } = this.#parts;
    const secure = this.#message.socket instanceof TLSSocket;
    const base = { head: this.#head, host, requestId: this.#requestId, nowMs: nowMs(), secure, isHttp2: this.#isHttp2 };
    const none: PayloadMode = { kind: 'absent' };
    const unsigned = { ...base, caller: undefined, claim: undefined, payload: none, region: host.region ?? 'us-east-1' };
    this.#seen.operation = service.operationOf(this.#head, host, Buffer.alloc(0));
    if (service.anonymous !== undefined && isUnsigned(this.#head)) return { ...unsigned, verified: undefined };
    try {
      const verified = verifyHead(this.#head, { find, expected: host, nowMs: base.nowMs });
      const { claim, secret, payload } = verified;
      const region = host.region ?? claim.region ?? claim.regionSet ?? '*';
      Object.assign(this.#seen, { region, identity: secret.identity, payload: payloadModeName(this.#head, payload) });
      return { ...base, caller: secret, claim, payload, region, verified };
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      return { ...unsigned, verified: error };
    }
  }

  /** Counted once a request, by the operation that it turned out to be. */
  #takeMode({ host }: Pick<HeadCall, 'host'>, body: Buffer): void {
    this.#mode = this.#parts.modes.take(this.#service?.operationOf(this.#head, host, body) ?? '', this.#parts.nowMs());
    if (this.#mode !== undefined) this.#seen.mode = this.#mode;
  }

  #fault(fault: AwsError | Answer): Answer {
    if (!this.#logged) this.#record({ verified: true });
    if (fault instanceof AwsError) throw fault;
    return fault;
  }

  #continue(): void {
    for (let times = this.#mode?.continues ?? 1; times > 0; times -= 1) this.#response.writeContinue();
  }

  async #readSmall(service: Service, host: AwsHost): Promise<void> {
    const sink = new MemorySink(service.maxBodyBytes ?? defaultMaxBodyBytes);
    this.#read = await readBody(this.#message, { sink });
    this.#bodyDone = true;
    this.#seen.operation = service.operationOf(this.#head, host, sink.body());
  }

  async #discardSmallBody(expectsContinue: boolean): Promise<boolean> {
    const length = header(this.#head, 'content-length') ?? (header(this.#head, 'transfer-encoding') === undefined ? '0' : '');
    if (expectsContinue || !/^\d{1,5}$/u.test(length) || Number(length) > smallBodyBytes) return false;
    this.#message.resume();
    if (!this.#message.complete) await Promise.race([ended(this.#message), wait(lingerMs)]);
    return this.#message.complete;
  }

  /** A connection closed with bytes unread is reset, and the answer with it: so it stays open a moment, and takes what still comes. */
  async #linger(): Promise<void> {
    this.#message.resume();
    await Promise.race([ended(this.#message), wait(lingerMs)]);
    this.#response.socket?.destroySoon();
  }

  #answerHeaders(): Record<string, string> {
    const date = new Date(this.#parts.nowMs()).toUTCString();
    const seconds = this.#mode?.retryAfterSeconds;
    const retryAfter = seconds === undefined ? {} : { 'retry-after': String(seconds) };
    if (this.#seen.service !== 's3') return { server: 'Server', date, 'x-amzn-requestid': this.#requestId, ...retryAfter };
    return { server: 'AmazonS3', date, 'x-amz-request-id': this.#requestId.slice(0, 16), 'x-amz-id-2': this.#requestId, ...retryAfter };
  }

  #record(more: Partial<RawLogEntry> & Pick<RawLogEntry, 'verified'>): void {
    this.#logged = true;
    const { method, target, headers } = this.#head;
    this.#parts.log.add({
      time: new Date(this.#parts.nowMs()).toISOString(),
      requestId: this.#requestId,
      method,
      host: header(this.#head, 'host') ?? '',
      path: this.#service?.shownTarget?.(this.#head) ?? target,
      headers: headers.map(([name, value]) => [name, hidden.includes(name.toLowerCase()) ? '-' : value]),
      bodySha256: this.#read.sha256,
      bodyBytes: this.#read.bytes,
      wireBytes: this.#read.wireBytes,
      ...this.#seen,
      ...more,
    });
  }
}

interface Carrying {
  readonly call: HeadCall;
  readonly verified: Verified<KnownCredentials> | undefined;
  readonly service: Service;
  readonly intake: Intake | undefined;
  readonly expectsContinue: boolean;
}

function decoderOf(verified: Verified<KnownCredentials> | undefined, nowMs: () => number): ReadingBody['decoder'] {
  if (verified === undefined) return undefined;
  const { key, claim, payload } = verified;
  const seed = { key, algorithm: claim.algorithm, timestamp: claim.timestamp ?? '', signature: claim.signature };
  if (payload.kind === 'events') return (onData) => new SignedEvents(seed, nowMs, onData);
  if (payload.kind !== 'chunks') return undefined;
  const chain = payload.signed === 'no' ? undefined : new ChunkChain(seed);
  return (onData) => new AwsChunked({ chain, trailer: payload.trailer, onData });
}

function fallbackProtocol(head: RequestHead): ReturnType<Service['protocol']> {
  return header(head, 'x-amz-target') === undefined
    ? { kind: 'query', namespace: 'https://sts.amazonaws.com/doc/2011-06-15/' }
    : { kind: 'json', contentType: 'application/x-amz-json-1.0' };
}

function ended(message: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    if (message.complete || message.destroyed) resolve();
    for (const event of ['end', 'close', 'error']) message.once(event, () => resolve());
  });
}
