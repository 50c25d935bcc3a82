import type { FastifyInstance, preHandlerHookHandler } from 'fastify';
import { PosternError } from '@postern/api';
import { APPS_PATH, isLaunch, ownPath } from '#browser/own-path.ts';
import { clientAddressOf, isFromElsewhere, page, sentence } from '#http/browser/answers.ts';
import type { BrowserRoutes } from '#http/browser/browser-options.ts';
import { clearSessionCookie, sessionOf, setSessionCookie } from '#http/browser/session-cookie.ts';
import { loginPage } from '#http/pages/login-page.ts';
import { messagePage } from '#http/pages/message-page.ts';

interface LoginForm {
  readonly user?: unknown;
  readonly password?: unknown;
  readonly redirect?: unknown;
}

export function loginRoutes(web: FastifyInstance, options: BrowserRoutes): void {
  const { sessions, facts } = options;
  const ownForm: preHandlerHookHandler = (request, reply, done) => web.csrfProtection(request, reply, done);
  web.get<{ Querystring: { readonly redirect?: unknown } }>('/web/login', async (request, reply) => {
    const redirect = ownPath(request.query.redirect);
    if (sessionOf(request, sessions) !== undefined) return reply.redirect(onwardPath(redirect), 303);
    return page(reply, loginPage({ cluster: facts().cluster, csrfToken: reply.generateCsrf(), redirect }));
  });

  web.post<{ Body: LoginForm | undefined }>('/web/login', { preHandler: ownForm }, async (request, reply) => {
    const { user, password, redirect: asked } = request.body ?? {};
    const redirect = ownPath(asked);
    const again = (problem: string) =>
      page(
        reply,
        loginPage({
          cluster: facts().cluster,
          csrfToken: reply.generateCsrf(),
          redirect,
          problem,
          user: typeof user === 'string' ? user.slice(0, 512) : '',
        }),
      );
    if (typeof user !== 'string' || typeof password !== 'string' || user === '' || password === '')
      return again('Type the user name and the password.');
    const before = sessionOf(request, sessions);
    try {
      const session = await options.signIn({ user, password, clientAddress: clientAddressOf(request) });
      const value = sessions.open(session);
      if (before !== undefined) sessions.end(before.cookie);
      setSessionCookie(reply, { value, maxAgeMs: session.endsMs - options.nowMs() });
      return await reply.redirect(onwardPath(redirect), 303);
    } catch (error) {
      if (!(error instanceof PosternError) || error.code === 'internal') throw error;
      reply.code(error.code === 'unauthenticated' ? 401 : error.code === 'limit_exceeded' ? 429 : error.code === 'unavailable' ? 503 : 400);
      return again(sentence(error.message));
    }
  });

  web.post('/web/logout', { preHandler: ownForm }, async (request, reply) => {
    const found = sessionOf(request, sessions);
    if (found !== undefined) sessions.end(found.cookie);
    return clearSessionCookie(reply).redirect('/web/login', 303);
  });

  // A form may lead to this proxy's own pages alone (form-action), and a launch leads on to AWS: the browser sets out anew from here.
  web.get<{ Querystring: { readonly to?: unknown } }>('/web/continue', async (request, reply) => {
    const to = ownPath(request.query.to);
    const { cluster } = facts();
    const link = { href: to, text: 'Continue' };
    // From here a launch is the browser's own: what another site asks for goes on with a click alone.
    const [message, more] = isFromElsewhere(request)
      ? ['Another site asks to open a page of yours.', {}]
      : ['The console opens in a moment.', { onward: to }];
    return page(reply, messagePage({ cluster, heading: 'Signed in', message, isProblem: false, link, ...more }));
  });
}

function onwardPath(redirect: string): string {
  if (redirect === '/web/login' || redirect.startsWith('/web/login?') || redirect.startsWith('/web/continue')) return APPS_PATH;
  return isLaunch(redirect) ? `/web/continue?${new URLSearchParams({ to: redirect }).toString()}` : redirect;
}
