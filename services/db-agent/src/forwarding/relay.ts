import type { ServerResponse } from 'node:http';
import type { Dispatcher } from 'undici';
import type { Upstream } from '#forwarding/upstreams.ts';

/** What became of a request. `unknown` is said wherever AWS may have acted and its answer was not seen whole. */
export type Outcome =
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly awsRequestId: string;
      readonly bytes: number;
      readonly consumedCapacity?: unknown;
    }
  | { readonly kind: 'unknown'; readonly reason: string; readonly status?: number; readonly awsRequestId: string; readonly bytes: number }
  | { readonly kind: 'not_sent'; readonly reason: string };

export interface RelayInput {
  readonly upstream: Upstream;
  /** As the signer made them: flat, Host first. */
  readonly headers: string[];
  readonly body: Buffer;
  readonly response: ServerResponse;
  /** The client asked for it, so a small answer is worth a look. */
  readonly wantsCapacity: boolean;
}

/**
 * Step 9: sends one signed request and streams the answer, byte for byte, to the client; either side may hold the other
 * back. Nothing is sent twice: a client's SDK knows what may be repeated, and we do not. Resolves when the answer has
 * been handed on or is lost; where nothing has been answered yet the caller still may.
 */
export function relay(input: RelayInput): Promise<Outcome> {
  const { upstream } = input;
  upstream.inFlight += 1;
  return new Promise((resolve) => {
    const handler = new Relay(input, (outcome) => {
      upstream.inFlight -= 1;
      resolve(outcome);
    });
    upstream.pool.dispatch(
      { path: '/', method: 'POST', headers: input.headers, body: input.body, idempotent: false, blocking: true },
      handler,
    );
  });
}

const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
/** Answers above this are not looked into for their consumed capacity. */
const SMALL_BYTES = 16 * 1024;

class Relay implements Dispatcher.DispatchHandler {
  readonly #response: ServerResponse;
  readonly #wantsCapacity: boolean;
  readonly #resolve: (outcome: Outcome) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #clientGone = false;
  #settled = false;
  #listensForDrain = false;
  #status = 0;
  #awsRequestId = '';
  #bytes = 0;
  #only: Buffer | undefined;

  constructor(input: RelayInput, resolve: (outcome: Outcome) => void) {
    this.#response = input.response;
    this.#wantsCapacity = input.wantsCapacity;
    this.#resolve = resolve;
    this.#response.once('close', this.#onClientClose);
    if (this.#response.destroyed) this.#clientGone = true;
  }

  readonly #onClientClose = (): void => {
    if (this.#settled) return;
    this.#clientGone = true;
    this.#controller?.abort(new Error('the client left'));
  };

  readonly #onDrain = (): void => this.#controller?.resume();

  /** Called once, when a connection is there and the first byte is about to be written. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#controller) return controller.abort(new Error('a request is never sent twice'));
    if (this.#clientGone) {
      this.#settle({ kind: 'not_sent', reason: 'the client left' });
      return controller.abort(new Error('the client left'));
    }
    this.#controller = controller;
  }

  onResponseStart(controller: Dispatcher.DispatchController, statusCode: number, headers: object, statusMessage?: string): void {
    if (statusCode < 200) return;
    this.#status = statusCode;
    const { flat, hasDate } = this.#answerHeaders(controller.rawHeaders, headers);
    if (hasDate) this.#response.sendDate = false;
    this.#response.writeHead(statusCode, statusMessage ?? '', flat);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#wantsCapacity) this.#only = this.#bytes === 0 ? chunk : undefined;
    this.#bytes += chunk.length;
    if (this.#response.write(chunk)) return;
    controller.pause();
    if (this.#listensForDrain) return;
    this.#listensForDrain = true;
    this.#response.on('drain', this.#onDrain);
  }

  onResponseEnd(): void {
    this.#response.end();
    const capacity = this.#consumedCapacity();
    this.#settle({
      kind: 'answered',
      status: this.#status,
      awsRequestId: this.#awsRequestId,
      bytes: this.#bytes,
      ...(capacity === undefined ? {} : { consumedCapacity: capacity }),
    });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    const reason = this.#clientGone ? 'the client left before the answer was complete' : describe(error);
    if (!this.#controller) return this.#settle({ kind: 'not_sent', reason });
    // Part of an answer was passed on: the client must see it cut, not ended.
    if (this.#status !== 0) this.#response.destroy();
    this.#settle({
      kind: 'unknown',
      reason,
      awsRequestId: this.#awsRequestId,
      bytes: this.#bytes,
      ...(this.#status === 0 ? {} : { status: this.#status }),
    });
  }

  #settle(outcome: Outcome): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#response.off('close', this.#onClientClose).off('drain', this.#onDrain);
    this.#resolve(outcome);
  }

  #answerHeaders(raw: Dispatcher.DispatchController['rawHeaders'], parsed: object): { flat: string[]; hasDate: boolean } {
    const flat: string[] = [];
    let hasDate = false;
    const dropped = namedByConnection((parsed as { connection?: string | string[] }).connection);
    if (!Array.isArray(raw)) return { flat, hasDate };
    for (let at = 0; at + 1 < raw.length; at += 2) {
      const name = text(raw[at]);
      const lower = name.toLowerCase();
      if (HOP_BY_HOP.has(lower) || dropped?.includes(lower)) continue;
      const value = text(raw[at + 1]);
      if (lower === 'date') hasDate = true;
      else if (lower === 'x-amzn-requestid') this.#awsRequestId = value.slice(0, 128);
      flat.push(name, value);
    }
    return { flat, hasDate };
  }

  /** Only where the whole answer came as one small plain piece; nothing is kept back for it. */
  #consumedCapacity(): unknown {
    const body = this.#only;
    if (!body || body.length > SMALL_BYTES || body.length !== this.#bytes || body[0] !== 0x7b || !body.includes('"ConsumedCapacity"'))
      return undefined;
    try {
      return (JSON.parse(body.toString('utf8')) as { ConsumedCapacity?: unknown }).ConsumedCapacity;
    } catch {
      return undefined;
    }
  }
}

function text(part: Buffer | string | undefined): string {
  return typeof part === 'string' ? part : (part?.toString('latin1') ?? '');
}

function namedByConnection(connection: string | string[] | undefined): string[] | undefined {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return undefined;
  return String(connection)
    .toLowerCase()
    .split(',')
    .map((name) => name.trim());
}

function describe(error: Error & { code?: string }): string {
  if (error.code === 'UND_ERR_HEADERS_TIMEOUT') return 'AWS did not answer in time';
  if (error.code === 'UND_ERR_BODY_TIMEOUT') return 'AWS stopped in the middle of its answer';
  if (error.code === 'UND_ERR_CONNECT_TIMEOUT') return 'AWS could not be reached in time';
  return error.code === undefined ? error.message : `${error.message} (${error.code})`;
}
