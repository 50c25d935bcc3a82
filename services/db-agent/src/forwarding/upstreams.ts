import type { DynamoDbService } from '@postern/aws';
import { buildConnector, Pool } from 'undici';
import { ANSWER_HEADERS_TIMEOUT_MS, ANSWER_IDLE_MS, CONNECT_TIMEOUT_MS, CONNECTIONS_PER_TARGET } from '#config.ts';
import { guardedLookup, mayBeDialled, type Resolve } from '#forwarding/dial-address.ts';

export interface UpstreamsOptions {
  /** The URL that the operator's AWS_ENDPOINT_URL gives for a service, or https:// and the host. */
  readonly dialUrl: (service: DynamoDbService, host: string) => URL;
  readonly resolve?: Resolve;
  /** Certificates that are trusted beside the system's; for tests with a TLS server of their own. */
  readonly ca?: string;
  readonly timeouts?: { readonly connectMs?: number; readonly headersMs?: number; readonly idleMs?: number };
}

/** One origin with its pool of connections. */
export interface Upstream {
  readonly pool: Pool;
  /** Requests under way, those that wait for a connection included; counted by the relay. */
  inFlight: number;
}

/** Beyond this another request would only wait: it is refused instead. */
export const MAX_IN_FLIGHT = CONNECTIONS_PER_TARGET + 1024;
/** AWS keeps idle connections longer than this, so that a request rarely meets one that is being closed. */
const KEEP_ALIVE_MS = 15_000;
const MAX_UPSTREAMS = 256;

/** Connection pools, one for each host that the tables built. No client ever names what is dialled. */
export class Upstreams {
  readonly #options: UpstreamsOptions;
  readonly #byHost = new Map<string, Upstream>();

  constructor(options: UpstreamsOptions) {
    this.#options = options;
  }

  to(service: DynamoDbService, host: string): Upstream {
    const key = `${service} ${host}`;
    let upstream = this.#byHost.get(key);
    if (!upstream) {
      // More hosts than regions, services and forms together: begin anew rather than grow.
      if (this.#byHost.size >= MAX_UPSTREAMS) void this.close();
      upstream = this.#open(service, host);
      this.#byHost.set(key, upstream);
    }
    return upstream;
  }

  async close(): Promise<void> {
    const open = [...this.#byHost.values()];
    this.#byHost.clear();
    await Promise.all(open.map(({ pool }) => pool.close()));
  }

  async destroy(): Promise<void> {
    const open = [...this.#byHost.values()];
    this.#byHost.clear();
    await Promise.all(open.map(({ pool }) => pool.destroy()));
  }

  #open(service: DynamoDbService, host: string): Upstream {
    const url = this.#options.dialUrl(service, host);
    const { timeouts } = this.#options;
    const pool = new Pool(url.origin, {
      connections: CONNECTIONS_PER_TARGET,
      pipelining: 1,
      allowH2: false,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
      headersTimeout: timeouts?.headersMs ?? ANSWER_HEADERS_TIMEOUT_MS,
      bodyTimeout: timeouts?.idleMs ?? ANSWER_IDLE_MS,
      maxHeaderSize: 64 * 1024,
      connect: this.#connector(url, host),
    });
    return { pool, inFlight: 0 };
  }

  /**
   * undici would take the TLS server name from the Host header, and the header is AWS's name even where an operator's
   * endpoint is dialled: the name that the certificate must carry is fixed here, by what is dialled.
   */
  #connector(url: URL, host: string): buildConnector.connector {
    const byOperator = url.hostname !== host;
    const connectMs = this.#options.timeouts?.connectMs ?? CONNECT_TIMEOUT_MS;
    const name = url.hostname.replace(/^\[|\]$/g, '');
    const connect = buildConnector({
      allowH2: false,
      timeout: connectMs,
      keepAlive: true,
      ...(byOperator ? {} : { lookup: guardedLookup(this.#options.resolve) }),
      ...(url.protocol === 'https:' ? { servername: name, rejectUnauthorized: true, minVersion: 'TLSv1.2' as const } : {}),
      ...(this.#options.ca === undefined ? {} : { ca: this.#options.ca }),
    });
    return ({ servername: _fromHostHeader, ...target }, done) => {
      if (!byOperator && /^[0-9.]+$|:/.test(name) && !mayBeDialled(name)) return done(new Error(`${name} may not be dialled`), null);
      connect(url.protocol === 'https:' ? { ...target, servername: name } : target, done);
    };
  }
}
