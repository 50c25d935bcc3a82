import { relay, type Upstreams } from '@postern/agent';
import type { AwsTarget } from '@postern/aws';
import type { Origin } from '@postern/http';
import { ClientSource } from '#forwarding/client-source.ts';
import { FileSource } from '#forwarding/file-source.ts';
import { sendStreamed, type StreamedOutcome } from '#forwarding/send-streamed.ts';
import type { SignedAnew } from '#requests/sign-anew.ts';
import type { TakenBody } from '#requests/take-body.ts';
import type { ClientExchange } from '#sessions/http-door.ts';

export interface SendInput {
  readonly exchange: ClientExchange;
  readonly upstream: Origin;
  readonly signed: SignedAnew;
  readonly body: TakenBody;
  readonly onErrorDate: (date: string) => void;
  readonly tap?: (piece: Buffer) => void;
}

export interface Sent extends StreamedOutcome {
  /** Of the client's body, as it came. */
  readonly requestBytes: number;
}

/** Step 9. */
export async function send(input: SendInput): Promise<Sent> {
  const { exchange, upstream, signed, body, onErrorDate, tap } = input;
  const { headers, target, chain } = signed;
  const common = { upstream, method: exchange.head.method, target, headers, exchange, onErrorDate };
  if (body.kind === 'streamed') {
    const { plan } = body;
    const source = new ClientSource(exchange, (to) => plan.start({ send: to, ...(chain === undefined ? {} : { signed: chain }) }));
    const isChunked = plan.bodyLength === 'chunked';
    const sent = await sendStreamed({ ...common, isChunked, asksFirst: exchange.head.expectsContinue, source });
    return { ...sent, requestBytes: source.bytes };
  }
  const { content, length } = body.body;
  if (!Buffer.isBuffer(content)) {
    const source = new FileSource(content, length);
    return { ...(await sendStreamed({ ...common, isChunked: false, asksFirst: false, source })), requestBytes: length };
  }
  const outcome = await relay({ ...common, body: content, wantsCapacity: false, ...(tap === undefined ? {} : { tap }) });
  return { outcome, requestBytes: length };
}

/** As the operator's AWS_ENDPOINT_URL_<SERVICE> is named: the signing name, but for the one host that has a service of its own. */
export function endpointName({ service, host }: Pick<AwsTarget, 'service' | 'host'>): string {
  if (service === 'dynamodb' && host.startsWith('streams')) return 'DYNAMODB_STREAMS';
  return service.toUpperCase().replaceAll('-', '_');
}

export function upstreamOf(upstreams: Upstreams, target: AwsTarget): Origin {
  return upstreams.to(endpointName(target), target.host);
}
