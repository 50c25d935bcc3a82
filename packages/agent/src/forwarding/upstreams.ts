import { Origin, type OriginLimits, type Resolve } from '@postern/http';

export interface UpstreamsOptions {
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

const CONNECTIONS_PER_TARGET = 256;
/** Beyond this another request would only wait: it is refused instead. */
export const MAX_IN_FLIGHT = CONNECTIONS_PER_TARGET + 1024;
const CONNECT_MS = 10_000;
const ANSWER_HEADERS_MS = 60_000;
const ANSWER_IDLE_MS = 60_000;
const MAX_ANSWER_HEAD = { maxBytes: 64 * 1024, maxLines: 256 };
/** AWS keeps idle connections longer than this, so that a request rarely meets one that is being closed. */
const KEEP_ALIVE_MS = 15_000;
const MAX_UPSTREAMS = 256;

/** Connection pools, one for each host that the tables built. No client ever names what is dialled. */
export class Upstreams {
  readonly #options: UpstreamsOptions;
  readonly #limits: OriginLimits;
  readonly #byService = new Map<string, Map<string, Origin>>();

  constructor(options: UpstreamsOptions) {
    const { timeouts } = options;
    this.#options = options;
    this.#limits = {
      connections: CONNECTIONS_PER_TARGET,
      connectMs: timeouts?.connectMs ?? CONNECT_MS,
      headersMs: timeouts?.headersMs ?? ANSWER_HEADERS_MS,
      idleMs: timeouts?.idleMs ?? ANSWER_IDLE_MS,
      keepAliveMs: KEEP_ALIVE_MS,
      head: MAX_ANSWER_HEAD,
    };
  }

  /** `service` as `dialUrl` knows it: one of those that the tables name. */
  to(service: string, host: string): Origin {
    let byHost = this.#byService.get(service);
    if (!byHost) {
      byHost = new Map();
      this.#byService.set(service, byHost);
    }
    let origin = byHost.get(host);
    if (!origin) {
      // Hosts that name buckets are as many as those are: begin anew rather than grow.
      if (byHost.size >= MAX_UPSTREAMS) {
        for (const old of byHost.values()) old.retire();
        byHost.clear();
      }
      origin = this.#open(service, host);
      byHost.set(host, origin);
    }
    return origin;
  }

  destroy(): void {
    for (const byHost of this.#byService.values()) for (const origin of byHost.values()) origin.destroy();
    this.#byService.clear();
  }

  /** The name that the certificate must carry is that of what is dialled: AWS's, or that of an operator's endpoint. */
  #open(service: string, host: string): Origin {
    const url = this.#options.dialUrl(service, host);
    const isTls = url.protocol === 'https:';
    const { resolve, ca } = this.#options;
    return new Origin({
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? (isTls ? 443 : 80) : Number(url.port),
      isTls,
      // An operator may mean this machine; the tables never do.
      isGuarded: url.hostname === host,
      ...(resolve === undefined ? {} : { resolve }),
      ...(ca === undefined ? {} : { ca }),
      limits: this.#limits,
    });
  }
}
