import { type LiveSession, readHead, type RequestHead } from '@postern/agent';
import {
  type AwsProtocol,
  type AwsRequest,
  type AwsTarget,
  claimedService,
  protocolOf,
  scopeOfHost,
  type VerifiedRequest,
} from '@postern/aws';
import type { Asked } from '#audit/request-records.ts';
import type { SignedHead } from '#requests/read-seed.ts';
import type { Wish } from '#requests/refusals.ts';
import type { SessionPlace } from '#requests/session-place.ts';
import type { ClientExchange } from '#sessions/http-door.ts';

/** One request and what is known of it so far: each step adds, and a refusal tells what there is. */
export class ClientRequest {
  readonly exchange: ClientExchange;
  readonly head: RequestHead;
  readonly signed: SignedHead;
  /** By what the signature claims until it is verified; only refusals are worded by it. */
  scope: { readonly service: string; readonly region: string } | undefined;
  target: AwsTarget | undefined;
  described: AwsRequest | undefined;
  place: SessionPlace | undefined;
  /** Absent until the signature is verified, which may need the body. */
  verified: VerifiedRequest | undefined;

  constructor(exchange: ClientExchange) {
    this.exchange = exchange;
    const { method, target, fields } = exchange.head;
    this.head = readHead(fields);
    const cut = target.indexOf('?');
    this.signed = {
      method,
      path: cut < 0 ? target : target.slice(0, cut),
      query: cut < 0 ? '' : target.slice(cut + 1),
      headers: fields,
    };
  }

  /** What goes to AWS: as it came, without the parameters of an old signature. */
  get own(): SignedHead {
    const { presigned } = this.verified ?? {};
    return presigned === undefined ? this.signed : { ...this.signed, query: presigned.query };
  }

  get session(): LiveSession {
    return this.exchange.context.session;
  }

  /** As the refusal is written: every SDK has a reader for what it asked in. */
  get protocol(): AwsProtocol {
    if (this.described !== undefined) return this.described.protocol;
    const service = this.target?.service ?? this.scope?.service ?? claimedService(this.signed) ?? this.#serviceOfHost() ?? '';
    return protocolOf({ ...this.signed, service, ...(this.target === undefined ? {} : { target: this.target }) });
  }

  /** Of a request without a signature that can be read. */
  #serviceOfHost(): string | undefined {
    const host = this.exchange.context.connectHost;
    return host === undefined ? undefined : scopeOfHost(host.toLowerCase())?.service;
  }

  get asked(): Asked {
    const { target: host, scope, described, head, verified } = this;
    const { method, target } = this.exchange.head;
    const service = host?.service ?? scope?.service;
    const region = host?.region ?? scope?.region;
    return {
      method,
      target,
      host: host?.host ?? head.host ?? '',
      ...(service === undefined ? {} : { service }),
      ...(region === undefined ? {} : { region }),
      ...(described?.operation === undefined ? {} : { operation: described.operation }),
      ...(head.target === undefined ? {} : { amzTarget: head.target }),
      ...(head.copySource === undefined ? {} : { copySource: head.copySource }),
      ...(verified === undefined ? {} : { payload: payloadWord(verified) }),
    };
  }

  get wish(): Wish {
    const { route } = this.session.facts;
    const service = this.target?.service ?? this.scope?.service ?? 'aws';
    return {
      user: this.session.user,
      resource: `app/${route.resourceName}`,
      principal: route.principal,
      action: this.described?.operation === undefined ? service : `${service}:${this.described.operation}`,
    };
  }
}

/** How the body is covered, in AWS's words where it has one. */
function payloadWord({ payload, payloadLine, presigned }: VerifiedRequest): string {
  const word = payload.kind === 'hash' ? 'SHA256' : payloadLine;
  return presigned === undefined ? word : `${word} (pre-signed)`;
}
