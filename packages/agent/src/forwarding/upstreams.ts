import { Http2Origin, Http2Shares, Origin, type OriginLimits, type OriginOptions, type Resolve, type Upstream } from '@postern/http';
import { limits } from '@postern/limits';
import { UserShares } from '#forwarding/user-shares.ts';

export interface UpstreamsOptions {
  /** Given where something else goes to AWS besides. */
  readonly shares?: UserShares;
  /** The URL that the operator's AWS_ENDPOINT_URL gives for a service, or https:// and the host. */
  readonly dialUrl: (service: string, host: string) => URL;
  readonly resolve?: Resolve;
  /** Certificates that are trusted instead of the system's; for tests with a TLS server of their own. */
  readonly ca?: string;
  readonly timeouts?: UpstreamTimeouts;
}

/** How long AWS may take; see OriginLimits. */
export interface UpstreamTimeouts {
  readonly connectMs?: number;
  readonly headersMs?: number;
  readonly idleMs?: number;
}

const CONNECT_MS = 10_000;
const ANSWER_HEADERS_MS = 60_000;
const ANSWER_IDLE_MS = 60_000;
const MAX_ANSWER_HEAD = { maxBytes: 64 * 1024, maxLines: 256 };
/** AWS keeps idle connections longer than this, so that a request rarely meets one that is being closed. */
const KEEP_ALIVE_MS = 15_000;
const MAX_UPSTREAMS = 256;

/** Of a client of HTTP/1.1 requests go to AWS in HTTP/1.1, of one of HTTP/2 in HTTP/2: some operations are served in the one alone. */
export type UpstreamProtocol = 'http/1.1' | 'h2';
type Pool = Origin | Http2Origin;

export interface RequestWish {
  /** As `dialUrl` knows it: one of those that the tables name. */
  readonly service: string;
  readonly host: string;
  readonly user: string;
  readonly protocol?: UpstreamProtocol;
}

/** A request that may be sent, and counts as under way until it is over. */
export interface Passage {
  readonly upstream: Upstream;
  /** Once, when the request is answered or lost. */
  over(): void;
}

/** Why it may not be sent now, and what to do. */
export interface NoPassage {
  readonly reason: string;
}

/** Connection pools, one for each host that the tables built. No client ever names what is dialled. */
export class Upstreams {
  readonly #options: UpstreamsOptions;
  readonly #limits: OriginLimits;
  readonly #pools = new Map<string, Map<string, Pool>>();
  /** Of both protocols, and of pools that were begun anew. */
  readonly #shares: UserShares;
  readonly #http2 = new Http2Shares({
    connectionsPerOwner: limits.awsHttp2ConnectionsPerUser,
    connections: limits.awsHttp2Connections,
    resetsPerConnection: limits.awsHttp2ResetsPerConnection,
    resetsPerOwner: limits.awsHttp2ResetsPerUser,
  });

  constructor(options: UpstreamsOptions) {
    const { timeouts } = options;
    this.#options = options;
    this.#shares = options.shares ?? new UserShares();
    this.#limits = {
      connections: limits.awsConnectionsPerHost,
      connectMs: timeouts?.connectMs ?? CONNECT_MS,
      headersMs: timeouts?.headersMs ?? ANSWER_HEADERS_MS,
      idleMs: timeouts?.idleMs ?? ANSWER_IDLE_MS,
      keepAliveMs: KEEP_ALIVE_MS,
      head: MAX_ANSWER_HEAD,
    };
  }

  /** Before a byte of the request's body is taken. */
  admit({ service, host, user, protocol = 'http/1.1' }: RequestWish): Passage | NoPassage {
    const pool = this.#to(service, host, protocol);
    if (pool.inFlight >= limits.awsRequestsPerHost)
      return { reason: `${limits.awsRequestsPerHost} requests to ${host} are under way, and this agent takes no more: try again` };
    const isHttp2 = pool instanceof Http2Origin;
    const reason = (isHttp2 ? pool.refusal(user) : undefined) ?? this.#shares.enter(user, host);
    if (reason !== undefined) return { reason };
    return { upstream: isHttp2 ? pool.for(user) : pool, over: () => this.#shares.leave(user, host) };
  }

  #to(service: string, host: string, protocol: UpstreamProtocol): Pool {
    const key = protocol === 'h2' ? `h2 ${service}` : service;
    let byHost = this.#pools.get(key);
    if (!byHost) {
      byHost = new Map();
      this.#pools.set(key, byHost);
    }
    let pool = byHost.get(host);
    if (!pool) {
      // Hosts that name buckets are as many as those are: begin anew rather than grow.
      if (byHost.size >= MAX_UPSTREAMS) {
        for (const old of byHost.values()) old.retire();
        byHost.clear();
      }
      pool = this.#open(service, host, protocol);
      byHost.set(host, pool);
    }
    return pool;
  }

  destroy(): void {
    for (const byHost of this.#pools.values()) for (const pool of byHost.values()) pool.destroy();
    this.#pools.clear();
  }

  /** The name that the certificate must carry is that of what is dialled: AWS's, or that of an operator's endpoint. */
  #open(service: string, host: string, protocol: UpstreamProtocol): Pool {
    const url = this.#options.dialUrl(service, host);
    const isTls = url.protocol === 'https:';
    const { resolve, ca } = this.#options;
    const options: OriginOptions = {
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? (isTls ? 443 : 80) : Number(url.port),
      isTls,
      // An operator may mean this machine; the tables never do.
      isGuarded: url.hostname === host,
      ...(resolve === undefined ? {} : { resolve }),
      ...(ca === undefined ? {} : { ca }),
      limits: this.#limits,
    };
    // HTTP/2 is agreed on within TLS; what an operator has in AWS's place without it is spoken to as ever.
    return protocol === 'h2' && isTls ? new Http2Origin(options, this.#http2) : new Origin(options);
  }
}
