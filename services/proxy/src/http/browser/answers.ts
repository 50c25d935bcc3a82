import type { FastifyReply, FastifyRequest } from 'fastify';
import { type ErrorCode, PosternError } from '@postern/api';
import type { BrowserRoutes } from '#http/browser/browser-options.ts';
import { messagePage } from '#http/pages/message-page.ts';

export function page(reply: FastifyReply, html: string): FastifyReply {
  return reply.type('text/html; charset=utf-8').send(html);
}

/** host:port of the browser, as the socket has it. */
export function clientAddressOf({ raw: { socket } }: FastifyRequest): string {
  const ip = socket.remoteAddress ?? '';
  return `${ip.includes(':') ? `[${ip}]` : ip}:${socket.remotePort ?? 0}`;
}

/** A link on another site opens nobody's console without a click here; browsers say of every navigation where it began. */
export function isFromElsewhere({ headers }: FastifyRequest): boolean {
  const site = headers['sec-fetch-site'];
  return site === 'cross-site' || site === 'same-site';
}

const statusOf: Readonly<Record<ErrorCode, number>> = {
  bad_request: 400,
  unauthenticated: 401,
  expired: 401,
  denied: 403,
  locked: 403,
  not_found: 404,
  already_exists: 409,
  conflict: 409,
  limit_exceeded: 429,
  unimplemented: 501,
  unavailable: 503,
  cannot_connect: 503,
  internal: 500,
};

/** A refusal is a page in words; what nobody expected is told to the log. */
export function showError(
  reply: FastifyReply,
  { error, routes }: { readonly error: unknown; readonly routes: BrowserRoutes },
): FastifyReply {
  const { status, message } = wordsOf(error);
  if (status === 500) routes.onError(error);
  const { cluster } = routes.facts();
  const heading = status === 503 ? 'Not available now' : status >= 500 ? 'This did not work' : status === 404 ? 'Not found' : 'Refused';
  const link = { href: '/web', text: 'Applications' };
  return page(reply.code(status), messagePage({ cluster, heading, message: sentence(message), isProblem: true, link }));
}

function wordsOf(error: unknown): { readonly status: number; readonly message: string } {
  if (error instanceof PosternError) return { status: statusOf[error.code], message: error.code === 'internal' ? INTERNAL : error.message };
  const { statusCode = 500, code } = error as { readonly statusCode?: number; readonly code?: string };
  if (code === 'FST_CSRF_MISSING_SECRET' || code === 'FST_CSRF_INVALID_TOKEN')
    return { status: 403, message: 'this form is too old, or was not made for this browser: open the page again' };
  return statusCode >= 500 ? { status: 500, message: INTERNAL } : { status: statusCode, message: (error as Error).message };
}

const INTERNAL = 'internal error: the log of the proxy has the cause';

/** Errors are lower case without a full stop; a page is read by a person. */
export function sentence(message: string): string {
  return `${message.slice(0, 1).toUpperCase()}${message.slice(1)}.`;
}
