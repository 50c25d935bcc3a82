import type { OwnHost } from '@postern/resources';

/** teleport.yaml as the programs use it: defaults filled in, units in the names. */
export interface TeleportConfig {
  readonly version: 'v1' | 'v2' | 'v3';
  readonly nodename: string;
  /** Absolute. */
  readonly dataDir: string;
  readonly log: LogConfig;
  /** host:port. At most one of the two is there. */
  readonly proxyServer?: string;
  readonly authServer?: string;
  /** v1 and v2 may list several auth servers; `authServer` is the first. */
  readonly authServers: readonly string[];
  /** The token, or the absolute path of a file that holds it, wherever it was written. */
  readonly token?: string;
  readonly authToken?: string;
  readonly joinParams?: { readonly tokenName: string; readonly method: 'token' };
  /** "sha256:<64 hex digits>"; files that `ca_pin` names have been read. */
  readonly caPins: readonly string[];
  readonly diagAddress?: HostPort;
  readonly auth?: AuthSection;
  readonly proxy?: ProxySection;
  readonly db?: DbSection;
  readonly app?: AppSection;
}

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

export interface LogConfig {
  readonly output: 'stderr' | 'stdout' | { readonly file: string };
  readonly severity: 'debug' | 'info' | 'warn' | 'error';
  readonly format: 'text' | 'json';
}

export interface AuthSection {
  readonly enabled: boolean;
  readonly clusterName: string;
  readonly listenAddress: HostPort;
  readonly storage: StorageConfig;
  readonly tokens: readonly StaticToken[];
  readonly authentication: { readonly type: 'local'; readonly secondFactor: 'off' };
  /** From `authentication.default_session_ttl`. */
  readonly sessionTtlMs?: number;
  readonly sealKeyFile?: string;
  /** From `teleport.storage.audit_events_uri: file:///…`. */
  readonly auditDir?: string;
}

export type StorageConfig = { readonly type: 'sqlite'; readonly path?: string } | { readonly type: 'redis'; readonly url: string };

export interface StaticToken {
  readonly roles: readonly ('db' | 'app' | 'proxy')[];
  /** The token, or the absolute path of a file that holds it. */
  readonly value: string;
}

export interface ProxySection {
  readonly enabled: boolean;
  readonly webListenAddress: HostPort;
  /** host:port each; the first is the one that is told to clients. */
  readonly publicAddress: readonly string[];
  readonly httpsKeypairs: readonly { readonly keyFile: string; readonly certFile: string }[];
  /** host:port, from `peer_public_addr`: reaches this very proxy where several share a public address. */
  readonly ownAddress?: string;
}

export interface DbSection {
  readonly enabled: boolean;
  readonly resources: readonly ResourceMatcher[];
  readonly databases: readonly StaticDatabase[];
}

export interface ResourceMatcher {
  readonly labels: Readonly<Record<string, readonly string[]>>;
  readonly aws?: { readonly assumeRoleArn?: string; readonly externalId?: string };
}

export interface StaticDatabase {
  readonly name: string;
  readonly description?: string;
  readonly protocol: string;
  readonly uri?: string;
  readonly staticLabels: Readonly<Record<string, string>>;
  readonly aws: {
    readonly region?: string;
    readonly accountId?: string;
    readonly assumeRoleArn?: string;
    readonly externalId?: string;
    readonly sessionTags?: Readonly<Record<string, string>>;
  };
}

export interface AppSection {
  readonly enabled: boolean;
  readonly resources: readonly ResourceMatcher[];
  readonly apps: readonly StaticApp[];
}

export interface StaticApp {
  readonly name: string;
  readonly description?: string;
  readonly uri?: string;
  readonly publicAddress?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly cloud?: 'AWS';
  readonly aws: { readonly externalId?: string; readonly ownHosts?: readonly OwnHost[] };
}
