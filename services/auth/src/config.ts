import type { JoinRole } from '#tokens/token.ts';

/** What an auth server is told at start. cli/teleport maps the `auth_service` section of teleport.yaml to it; auth reads no environment. */
export interface AuthConfig {
  /** Holds the seal key, the local administrator's identity, the audit log and, by default, the store. */
  readonly dataDir: string;
  readonly clusterName: string;
  readonly listen: { readonly host: string; readonly port: number };
  readonly storage:
    | { readonly type: 'sqlite' /** Default: DATA_DIR/auth.sqlite. */; readonly path?: string }
    | { readonly type: 'redis'; readonly url: string };
  /** Tokens from the file: they never expire and are not written to the store. */
  readonly staticTokens: readonly StaticToken[];
  /** Password-only sign-in has to be asked for in so many words; there is no other kind yet. */
  readonly authentication: { readonly type: 'local'; readonly secondFactor: 'off' };
  /** Longest life of a user's certificate where no role is shorter. Default 12 h. */
  readonly sessionTtlMs?: number;
  /** 32 random bytes as hex; seals the CA keys in the store. Default DATA_DIR/keys/seal.key, made on first start; several auths share one. */
  readonly sealKeyFile?: string;
  /** Segments of the audit log. Default: DATA_DIR/audit. */
  readonly auditDir?: string;
}

export interface StaticToken {
  readonly roles: readonly JoinRole[];
  readonly value: string;
}

export const HOST_CERT_TTL_MS = 24 * 3_600_000;
export const DEFAULT_SESSION_TTL_MS = 12 * 3_600_000;
export const MAX_SESSION_TTL_MS = 30 * 3_600_000;

/** This build, as `tctl status` shows it. */
export const serverVersion = '0.1.0';
