import type { DynamoDbService } from '@postern/aws';
import { Origin, type OriginLimits, type Resolve } from '@postern/http';
import {
  ANSWER_HEADERS_TIMEOUT_MS,
  ANSWER_IDLE_MS,
  CONNECT_TIMEOUT_MS,
  CONNECTIONS_PER_TARGET,
  MAX_ANSWER_HEADER_BYTES,
  MAX_ANSWER_HEADER_LINES,
} from '#config.ts';

export interface UpstreamsOptions {
  /** The URL that the operator's AWS_ENDPOINT_URL gives for a service, or https:// and the host. */
  readonly dialUrl: (service: DynamoDbService, host: string) => URL;
  readonly resolve?: Resolve;
  /** Certificates that are trusted instead of the system's; for tests with a TLS server of their own. */
  readonly ca?: string;
  readonly timeouts?: { readonly connectMs?: number; readonly headersMs?: number; readonly idleMs?: number };
}

/** Beyond this another request would only wait: it is refused instead. */
export const MAX_IN_FLIGHT = CONNECTIONS_PER_TARGET + 1024;
/** AWS keeps idle connections longer than this, so that a request rarely meets one that is being closed. */
const KEEP_ALIVE_MS = 15_000;
const MAX_UPSTREAMS = 256;

/** Connection pools, one for each host that the tables built. No client ever names what is dialled. */
export class Upstreams {
  readonly #options: UpstreamsOptions;
  readonly #limits: OriginLimits;
  readonly #byService: Record<DynamoDbService, Map<string, Origin>> = { dynamodb: new Map(), streams: new Map() };

  constructor(options: UpstreamsOptions) {
    const { timeouts } = options;
    this.#options = options;
    this.#limits = {
      connections: CONNECTIONS_PER_TARGET,
      connectMs: timeouts?.connectMs ?? CONNECT_TIMEOUT_MS,
      headersMs: timeouts?.headersMs ?? ANSWER_HEADERS_TIMEOUT_MS,
      idleMs: timeouts?.idleMs ?? ANSWER_IDLE_MS,
      keepAliveMs: KEEP_ALIVE_MS,
      head: { maxBytes: MAX_ANSWER_HEADER_BYTES, maxLines: MAX_ANSWER_HEADER_LINES },
    };
  }

  to(service: DynamoDbService, host: string): Origin {
    const byHost = this.#byService[service];
    let origin = byHost.get(host);
    if (!origin) {
      // More hosts than regions, services and forms together: begin anew rather than grow.
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
    for (const byHost of Object.values(this.#byService)) {
      for (const origin of byHost.values()) origin.destroy();
      byHost.clear();
    }
  }

  /** The name that the certificate must carry is that of what is dialled: AWS's, or that of an operator's endpoint. */
  #open(service: DynamoDbService, host: string): Origin {
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
