import { type Outcome, relay, type Upstreams } from '@postern/agent';
import { type AwsTarget, type Credentials, type SigningKeys, signRequest } from '@postern/aws';
import { CHUNKED, type Origin } from '@postern/http';
import type { HeldBody } from '#bodies/held-body.ts';
import { ClientSource } from '#forwarding/client-source.ts';
import { FileSource } from '#forwarding/file-source.ts';
import { sendStreamed, type StreamedOutcome } from '#forwarding/send-streamed.ts';
import type { ClientRequest } from '#requests/client-request.ts';
import type { SignedHead } from '#requests/read-seed.ts';
import type { TakenBody } from '#requests/take-body.ts';

export interface SignInput {
  readonly request: ClientRequest;
  /** What is sent in place of what came; the same, but for operations that hand out keys. */
  readonly goes: SignedHead;
  readonly target: AwsTarget;
  readonly body: TakenBody;
  readonly credentials: Credentials;
  readonly keys: SigningKeys;
  readonly nowMs: number;
}

export interface SendInput {
  readonly request: ClientRequest;
  /** See SignInput. */
  readonly goes: SignedHead;
  readonly upstream: Origin;
  /** See `signed`. */
  readonly headers: readonly string[];
  readonly body: TakenBody;
  readonly onErrorDate: (date: string) => void;
  readonly tap?: (piece: Buffer) => void;
}

export interface Sent extends StreamedOutcome {
  /** Of the client's body, as it came. */
  readonly requestBytes: number;
}

/** Step 8: for the target's host, service and region; the payload mode stays what the client chose. Throws SigningError. */
export function signed({ request, goes, target, body, credentials, keys, nowMs }: SignInput): string[] {
  const { method, path, query, headers } = goes;
  const { region, service, host } = target;
  const key = keys.for(credentials, { nowMs, region, service });
  const payload = body.kind === 'streamed' ? body.payload : payloadOf(request, body.body);
  const lines = signRequest({ method, path, query, host, headers, payload, nowMs }, key).headers;
  const isChunked = request.exchange.head.length === CHUNKED;
  if (body.kind === 'streamed' && isChunked) lines.push('transfer-encoding', 'chunked');
  // Its length is known now, whatever it was when it came.
  if (body.kind === 'held' && !saysLength(lines) && (body.body.length > 0 || method === 'POST' || method === 'PUT'))
    lines.push('content-length', String(body.body.length));
  return lines;
}

function saysLength(lines: readonly string[]): boolean {
  return lines.some((line, at) => at % 2 === 0 && line.length === 14 && line.toLowerCase() === 'content-length');
}

/** A hash, unless the client chose that none is signed. */
function payloadOf({ payload }: ClientRequest, body: HeldBody): string {
  return payload === 'UNSIGNED-PAYLOAD' ? payload : body.sha256;
}

/** Step 9. */
export async function send(input: SendInput): Promise<Sent> {
  const { request, goes, upstream, headers, body, onErrorDate, tap } = input;
  const { exchange } = request;
  const { method, path, query } = goes;
  const target = query === '' && !exchange.head.target.endsWith('?') ? path : `${path}?${query}`;
  const common = { upstream, method, target, headers, exchange, onErrorDate };
  if (body.kind === 'streamed') {
    const source = new ClientSource(exchange, body.transform);
    const isChunked = exchange.head.length === CHUNKED;
    const sent = await sendStreamed({ ...common, isChunked, asksFirst: exchange.head.expectsContinue, source });
    return { ...sent, requestBytes: source.bytes };
  }
  const { content, length } = body.body;
  if (!Buffer.isBuffer(content)) {
    const source = new FileSource(content, length);
    return { ...(await sendStreamed({ ...common, isChunked: false, asksFirst: false, source })), requestBytes: length };
  }
  const outcome: Outcome = await relay({ ...common, body: content, wantsCapacity: false, ...(tap === undefined ? {} : { tap }) });
  return { outcome, requestBytes: length };
}

/** As the operator's AWS_ENDPOINT_URL_<SERVICE> is named: the signing name, but for the one host that has a service of its own. */
export function endpointName({ service, host }: AwsTarget): string {
  if (service === 'dynamodb' && host.startsWith('streams')) return 'DYNAMODB_STREAMS';
  return service.toUpperCase().replaceAll('-', '_');
}

export function upstreamOf(upstreams: Upstreams, target: AwsTarget): Origin {
  return upstreams.to(endpointName(target), target.host);
}
