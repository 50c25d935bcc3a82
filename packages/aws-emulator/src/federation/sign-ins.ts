import { randomBytes } from 'node:crypto';

import type { Identity } from '#options.ts';

/** A browser's session in the console. */
export interface ConsoleSession {
  readonly identity: Identity;
  readonly partition: string;
  readonly issuer: string;
  readonly expiresMs: number;
}

export interface SigninToken {
  readonly identity: Identity;
  readonly partition: string;
  readonly tokenExpiresMs: number;
  readonly sessionExpiresMs: number;
}

const maxKept = 10_000;

/** Sign-in tokens, each good for one login within 15 minutes, and the sessions that came of them. The oldest are forgotten first. */
export class SignIns {
  readonly #tokens = new Map<string, SigninToken>();
  readonly #sessions = new Map<string, ConsoleSession>();

  issueToken(token: SigninToken): string {
    return keep(this.#tokens, token);
  }

  /** Whose it is, without using it up. */
  peekToken(value: string): SigninToken | undefined {
    return this.#tokens.get(value);
  }

  /** Undefined where it was never given out, was used before, or is too old. */
  useToken(value: string, nowMs: number): SigninToken | undefined {
    const token = this.#tokens.get(value);
    this.#tokens.delete(value);
    return token !== undefined && nowMs < token.tokenExpiresMs ? token : undefined;
  }

  open(session: ConsoleSession): string {
    return keep(this.#sessions, session);
  }

  find(cookie: string | undefined): ConsoleSession | undefined {
    return cookie === undefined ? undefined : this.#sessions.get(cookie);
  }

  end(cookie: string | undefined): void {
    if (cookie !== undefined) this.#sessions.delete(cookie);
  }
}

function keep<T>(map: Map<string, T>, value: T): string {
  const name = randomBytes(96).toString('base64url');
  map.set(name, value);
  const oldest = map.keys().next();
  if (map.size > maxKept && oldest.done !== true) map.delete(oldest.value);
  return name;
}
