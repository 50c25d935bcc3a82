export type CredentialErrorCode = 'denied' | 'unavailable' | 'expired' | 'invalid' | 'no_agent_credentials';

/**
 * No credentials, and why. `message` may be shown to the user who asked; `detail` holds AWS's own words, which may name the agent's role,
 * and is for logs and administrators. Neither holds a secret.
 */
export class CredentialError extends Error {
  override readonly name = 'CredentialError';
  readonly code: CredentialErrorCode;
  readonly detail: string | undefined;
  readonly retryAfterMs: number | undefined;
  constructor(
    code: CredentialErrorCode,
    message: string,
    more: { readonly detail?: string; readonly retryAfterMs?: number; readonly cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? {} : { cause: more.cause });
    this.code = code;
    this.detail = more.detail;
    this.retryAfterMs = more.retryAfterMs;
  }
}

/** Not of the person's role: whatever it is asked for, the agent cannot sign. */
export function isOwnLack(error: unknown): error is CredentialError {
  return error instanceof CredentialError && error.code === 'no_agent_credentials';
}
