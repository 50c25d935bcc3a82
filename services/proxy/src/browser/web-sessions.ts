import { createHash, randomBytes } from 'node:crypto';
import { PosternError } from '@postern/api';
import { limits } from '@postern/limits';

/** A person who signed in with a browser: the key lives here, since TLS of the browser ends here. */
export interface WebSession {
  readonly user: string;
  readonly roles: readonly string[];
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  /** The end of the certificate. */
  readonly endsMs: number;
}

const COOKIE_BYTES = 32;

/** Who is signed in to this proxy, by the hash of the cookie: what is kept here opens nothing if it is read. */
export class WebSessions {
  /** In the order of their beginning. */
  readonly #sessions = new Map<string, WebSession>();
  readonly #nowMs: () => number;

  constructor(options: { readonly nowMs: () => number }) {
    this.#nowMs = options.nowMs;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** The cookie of a new session. Of one person the oldest gives way; where the proxy is full nobody is signed out for a newcomer. */
  open(session: WebSession): string {
    this.endWhere(({ endsMs }) => endsMs <= this.#nowMs());
    const own = [...this.#sessions].filter(([, { user }]) => user === session.user).map(([hash]) => hash);
    const [oldest] = own;
    if (oldest !== undefined && own.length >= limits.webSessionsPerUser) this.#sessions.delete(oldest);
    if (this.#sessions.size >= limits.webSessions)
      throw new PosternError('limit_exceeded', 'too many people are signed in at this proxy: try again later, or use tsh');
    const cookie = randomBytes(COOKIE_BYTES).toString('base64url');
    this.#sessions.set(hashOf(cookie), session);
    return cookie;
  }

  find(cookie: string): WebSession | undefined {
    const session = this.#sessions.get(hashOf(cookie));
    if (session === undefined || session.endsMs > this.#nowMs()) return session;
    this.end(cookie);
    return undefined;
  }

  end(cookie: string): void {
    this.#sessions.delete(hashOf(cookie));
  }

  endWhere(isOver: (session: WebSession) => boolean): void {
    for (const [hash, session] of this.#sessions) if (isOver(session)) this.#sessions.delete(hash);
  }
}

function hashOf(cookie: string): string {
  return createHash('sha256').update(cookie).digest('base64');
}
