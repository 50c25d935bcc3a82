import { type NoPassage, type Passage, type Permit, relay, type Upstreams } from '@postern/agent';
import type { AwsTarget } from '@postern/aws';
import type { Upstream } from '@postern/http';
import { ClientSource } from '#forwarding/client-source.ts';
import { FileSource } from '#forwarding/file-source.ts';
import { sendStreamed, type StreamedOutcome } from '#forwarding/send-streamed.ts';
import type { SignedAnew } from '#requests/sign-anew.ts';
import type { TakenBody } from '#requests/take-body.ts';
import type { ClientExchange } from '#sessions/http-door.ts';

export interface SendInput {
  readonly exchange: ClientExchange;
  readonly upstream: Upstream;
  readonly signed: SignedAnew;
  readonly body: TakenBody;
  readonly permit: Permit;
  readonly onErrorDate: (date: string) => void;
  readonly tap?: (piece: Buffer) => void;
}

export interface Sent extends StreamedOutcome {
  /** Of the client's body, as it came. */
  readonly requestBytes: number;
}

/** Step 9. */
export async function send(input: SendInput): Promise<Sent> {
  const { exchange, upstream, signed, body, permit, onErrorDate, tap } = input;
  const { headers, target, chain } = signed;
  const common = { upstream, method: exchange.head.method, target, headers, exchange, permit, onErrorDate };
  if (body.kind === 'streamed') {
    const { plan, room, pace } = body;
    const begin = (to: (bytes: Buffer) => void) => plan.start({ send: to, room, ...(chain === undefined ? {} : { signed: chain }) });
    const isConversation = plan.isConversation === true;
    const source = new ClientSource(exchange, begin, { mayRest: isConversation, pace });
    const isChunked = plan.bodyLength === 'chunked';
    const sent = await sendStreamed({ ...common, isChunked, asksFirst: exchange.head.expectsContinue, source, isConversation });
    return { ...sent, requestBytes: source.bytes };
  }
  const { content, length } = body.body;
  if (!Buffer.isBuffer(content)) {
    const source = new FileSource(content, length);
    return {
      ...(await sendStreamed({ ...common, isChunked: false, asksFirst: false, source, isConversation: false })),
      requestBytes: length,
    };
  }
  const outcome = await relay({ ...common, body: content, wantsCapacity: false, ...(tap === undefined ? {} : { tap }) });
  return { outcome, requestBytes: length };
}

/** As the operator's AWS_ENDPOINT_URL_<SERVICE> is named: the signing name, but for the one host that has a service of its own. */
export function endpointName({ service, host }: Pick<AwsTarget, 'service' | 'host'>): string {
  if (service === 'dynamodb' && /^(?:\d{12}\.)?streams[.-]/.test(host)) return 'DYNAMODB_STREAMS';
  return service.toUpperCase().replaceAll('-', '_');
}

/** In the protocol that the client speaks. */
export function admit(
  upstreams: Upstreams,
  { target, exchange, user }: { readonly target: AwsTarget; readonly exchange: Pick<ClientExchange, 'isHttp2'>; readonly user: string },
): Passage | NoPassage {
  return upstreams.admit({ service: endpointName(target), host: target.host, user, protocol: exchange.isHttp2 ? 'h2' : 'http/1.1' });
}
