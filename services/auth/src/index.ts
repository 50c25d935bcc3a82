import type { Logger, Metrics } from '@postern/telemetry';
import type { AuthConfig } from '#config.ts';
import type { JoinRole } from '#tokens/token.ts';
import { wireAuth } from '#wiring.ts';

export type { AuthConfig, StaticToken } from '#config.ts';
export type { JoinRole } from '#tokens/token.ts';

export interface StartAuthOptions {
  readonly config: AuthConfig;
  readonly logger: Logger;
  readonly metrics?: Metrics;
  readonly nowMs?: () => number;
}

export interface RunningAuth {
  readonly address: { readonly host: string; readonly port: number };
  readonly cluster: string;
  /** "sha256:<hex>" of each trusted host CA. */
  readonly caPins: readonly string[];
  readonly hostCaPems: readonly string[];
  /** JSON of the local administrator's identity, mode 0600: {cluster, address, certificatePem, privateKeyPem, hostCaPems, notAfterMs}. */
  readonly localAdminFile: string;
  /** A token that joins one part of this role within five minutes; for parts started in the same process. */
  createLocalToken(
    role: JoinRole,
    options?: { /** Static databases of the same file: the token binds their names. */ readonly dbNames?: readonly string[] },
  ): Promise<string>;
  /** False with the reason where the store or the audit log does not answer. */
  ready(): Promise<{ readonly ok: boolean; readonly reason?: string }>;
  stop(): Promise<void>;
}

/** Opens the store, makes or reads the authorities, and listens. Rejects where the store is unsafe or belongs to another cluster. */
export function startAuth(options: StartAuthOptions): Promise<RunningAuth> {
  return wireAuth(options);
}
