import { limits } from '@postern/limits';

/** What a proxy is told at start. cli/teleport maps the `proxy_service` section of teleport.yaml to it; the proxy reads no environment. */
export interface ProxyConfig {
  /** Port 0 picks a free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** host:port that clients and agents dial. Default: the address listened on. */
  readonly publicAddress?: string;
  /** host:port that reaches this very proxy, where several share a public address. */
  readonly ownAddress?: string;
  /** Holds the host identity and, where no key pair is given, the self-signed web certificate. */
  readonly dataDir: string;
  /** PEM files; the first is shown where no name fits. None: a self-signed certificate is made on first start. */
  readonly httpsKeypairs: readonly { readonly keyFile: string; readonly certFile: string }[];
  /** host:port of an auth server, dialled directly. */
  readonly authAddress: string;
  /** How to join where dataDir holds no identity yet: a token, and a pin or the Host CA itself to know auth by. */
  readonly join: { readonly token: string; readonly caPins?: readonly string[]; readonly hostCaPems?: readonly string[] };
  readonly nodeName: string;
  readonly limits?: Partial<ProxyLimits>;
}

export const proxyLimits = {
  /** From accept to a complete ClientHello. */
  peekMs: limits.handshakeMs,
  peekBytes: 16 * 1024,
  handshakeMs: limits.handshakeMs,
  /** Sockets of one client address that have said nothing yet; and at each door those that are not past their handshake. */
  socketsPerAddress: limits.socketsPerAddress,
  listenBacklog: limits.listenBacklog,
  sockets: 20_000,
  /** Connections of one route ticket before the agent has accepted their certificate. tsh opens one at a time. */
  unprovenPerTicket: 8,
  /** A spliced connection without a byte either way. tsh sends a ping every 15 s. */
  spliceIdleMs: 10 * 60_000,
  connectAuthMs: 5_000,
  /** Sessions of one agent through this proxy at a time, and streams of one other proxy. An agent of its own accord opens 2,976. */
  sessionsPerAgent: 4_000,
  headersMs: limits.headerMs,
  bodyIdleMs: limits.bodyIdleMs,
  webRequestsPerMinute: 600,
  announceMs: 60_000,
  /** How long stop() lets open sessions go on. */
  drainMs: 10_000,
} as const;

export type ProxyLimits = { readonly [K in keyof typeof proxyLimits]: number };

export const serverVersion = '0.1.0';
/** The oldest tsh and agent that this proxy works with. */
export const minClientVersion = '0.1.0';
