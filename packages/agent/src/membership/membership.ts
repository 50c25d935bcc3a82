import type { Client } from '@grpc/grpc-js';
import type { WatchedResource } from '#authorise/policy-view.ts';

/** The agent's own certificate as it is now, and whom it trusts. */
export interface HostMaterial {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly hostCaPems: readonly string[];
  readonly userCaPems: readonly string[];
  readonly notAfterMs: number;
}

export interface WatchListener {
  put(resource: WatchedResource): void;
  remove(kind: string, name: string): void;
}

/** What an agent needs of the cluster that it belongs to. */
export interface Membership {
  readonly hostId: string;
  readonly cluster: string;
  current(): HostMaterial;
  onRenewed(listener: () => void): void;
  /** The channel to auth, which changes when the certificate is renewed: ask for it at each call. */
  client(): Client;
  /** First everything there is, then each change. */
  watch(listener: WatchListener): void;
  /** Resolves when the first state is complete. */
  synced(signal: AbortSignal): Promise<void>;
  /** How to wait for a proxy, for an agent that reaches auth through one: asked before auth is dialled again. Never rejects. */
  dialAfter(proxyStands: () => Promise<void>): void;
  /** Resolves when it makes sense to call auth. Never rejects. */
  reachable(): Promise<void>;
  /** In what time auth wants all its watchers back, should it be lost. */
  spreadMs(): number;
  /** How much less often auth wants to be told the same again than by a few. */
  quietMs(): number;
  /** Since auth was last heard on the watch. */
  viewAgeMs(): number;
  /** How old the view may be before the watch counts as lost. */
  patienceMs(): number;
  stop(): Promise<void>;
}
