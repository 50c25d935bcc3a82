import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { PosternError } from '@postern/api';
import { chooseRole } from '#browser/choose-role.ts';
import { launchConsole } from '#browser/launch-console.ts';
import { APPS_PATH } from '#browser/own-path.ts';
import type { WebSession } from '#browser/web-sessions.ts';
import { clientAddressOf, isFromElsewhere, page, showError } from '#http/browser/answers.ts';
import type { BrowserRoutes } from '#http/browser/browser-options.ts';
import { originOf } from '#http/browser/host-gate.ts';
import { clearSessionCookie, type FoundSession, sessionOf } from '#http/browser/session-cookie.ts';
import { appsPage, launchPath, rolesPage } from '#http/pages/apps-page.ts';
import { messagePage } from '#http/pages/message-page.ts';

interface LaunchQuery {
  readonly role?: unknown;
  readonly destination?: unknown;
}

const MAX_QUERY_TEXT = 2048;

export function launchRoutes(web: FastifyInstance, options: BrowserRoutes): void {
  const { sessions, facts } = options;
  web.get(APPS_PATH, async (request, reply) =>
    asPerson({ request, reply, options }, async (session) => {
      const apps = await options.appsOf(session, clientAddressOf(request));
      return page(reply, appsPage({ cluster: facts().cluster, signedIn: { user: session.user, csrfToken: reply.generateCsrf() }, apps }));
    }),
  );

  web.get<{ Params: { readonly app: string }; Querystring: LaunchQuery }>('/web/launch/:app', async (request, reply) =>
    asPerson({ request, reply, options }, async (session) => {
      const { app } = request.params;
      const role = textOf(request.query.role, 'role');
      const destination = textOf(request.query.destination, 'destination');
      const clientAddress = clientAddressOf(request);
      const own = (await options.appsOf(session, clientAddress)).find(({ name }) => name === app);
      if (own === undefined) throw new PosternError('not_found', 'no application of this name is served to you now');
      const { cluster, publicAddress } = facts();
      const choice = chooseRole(own, role);
      if (choice.kind === 'none') throw new PosternError('denied', choice.reason);
      const signedIn = () => ({ user: session.user, csrfToken: reply.generateCsrf() });
      if (choice.kind === 'choose') return page(reply, rolesPage({ cluster, signedIn: signedIn(), app, roles: choice.roles, destination }));
      if (isFromElsewhere(request)) {
        const link = { href: launchPath({ app, role: choice.arn, destination }), text: 'Open the console' };
        const message = `Another site asks to open the AWS console of ${app} under ${choice.arn}.`;
        return page(reply, messagePage({ cluster, heading: 'Open the console?', message, isProblem: false, link, signedIn: signedIn() }));
      }
      const issuer = `${originOf(publicAddress)}${launchPath({ app, role: choice.arn, destination: '' })}`;
      const address = await launchConsole(options.launch, { session, app, role: choice.arn, destination, issuer, clientAddress });
      return reply.header('referrer-policy', 'no-referrer').redirect(address, 302);
    }),
  );

  /** With the session of whoever asks; where there is none, or auth says that it is over, to the sign-in page and back. */
  async function asPerson(
    asked: { readonly request: FastifyRequest; readonly reply: FastifyReply; readonly options: BrowserRoutes },
    act: (session: WebSession) => Promise<FastifyReply>,
  ): Promise<FastifyReply> {
    const { request, reply } = asked;
    const found: FoundSession = sessionOf(request, sessions);
    const signIn = () => reply.redirect(`/web/login?${new URLSearchParams({ redirect: request.url }).toString()}`, 303);
    if (found === undefined) return signIn();
    try {
      return await act(found.session);
    } catch (error) {
      const code = error instanceof PosternError ? error.code : undefined;
      if (code === 'unauthenticated' || code === 'expired' || code === 'locked') {
        sessions.end(found.cookie);
        clearSessionCookie(reply);
        if (code !== 'locked') return signIn();
      }
      return showError(reply, { error, routes: asked.options });
    }
  }
}

/** One value of a bounded length, or none. */
function textOf(value: unknown, name: string): string {
  if (value === undefined) return '';
  if (typeof value !== 'string' || value.length > MAX_QUERY_TEXT)
    throw new PosternError('bad_request', `${name} is given twice or is too long`);
  return value;
}
