import type { FastifyReply, FastifyRequest } from 'fastify';
import type { WebSession, WebSessions } from '#browser/web-sessions.ts';

/** `__Host-`: a browser takes it over TLS alone, for this very host, and from no sister site (RFC 6265bis, 4.1.3.2). */
export const SESSION_COOKIE = '__Host-session';

const attributes = { path: '/', secure: true, httpOnly: true, sameSite: 'lax' } as const;

export type FoundSession = { readonly session: WebSession; readonly cookie: string } | undefined;

/** Two cookies of this name are one too many: whose was put there by somebody else cannot be known, and neither counts. */
export function sessionOf(request: FastifyRequest, sessions: WebSessions): FoundSession {
  const values = (request.headers.cookie ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${SESSION_COOKIE}=`));
  const [only] = values;
  if (only === undefined || values.length > 1) return undefined;
  const cookie = only.slice(SESSION_COOKIE.length + 1);
  const session = sessions.find(cookie);
  return session === undefined ? undefined : { session, cookie };
}

/** Lax: a link from elsewhere may lead to a page of one's own, a form from elsewhere may not. */
export function setSessionCookie(reply: FastifyReply, cookie: { readonly value: string; readonly maxAgeMs: number }): FastifyReply {
  return reply.setCookie(SESSION_COOKIE, cookie.value, { ...attributes, maxAge: Math.max(0, Math.floor(cookie.maxAgeMs / 1000)) });
}

export function clearSessionCookie(reply: FastifyReply): FastifyReply {
  return reply.clearCookie(SESSION_COOKIE, attributes);
}
