import type { Logger, Metrics } from '@postern/telemetry';
import type { ProxyConfig } from '#config.ts';
import { wireProxy } from '#wiring.ts';

export { type ProxyConfig, type ProxyLimits, proxyLimits } from '#config.ts';

export interface StartProxyOptions {
  readonly config: ProxyConfig;
  readonly logger: Logger;
  readonly metrics?: Metrics;
  readonly nowMs?: () => number;
}

export interface RunningProxy {
  /** Where it listens. */
  readonly address: { readonly host: string; readonly port: number };
  /** host:port that clients and agents are told. */
  readonly publicAddress: string;
  readonly proxyId: string;
  /** False with the reason where auth is not reachable or no route keys have come yet. */
  ready(): Promise<{ readonly ok: boolean; readonly reason?: string }>;
  /** Takes nothing new, sends agents elsewhere, lets open sessions end for a while, then closes. */
  stop(): Promise<void>;
}

/** Joins the cluster where dataDir holds no identity, and serves the one public port. Rejects where it cannot join or listen. */
export function startProxy(options: StartProxyOptions): Promise<RunningProxy> {
  return wireProxy(options);
}
