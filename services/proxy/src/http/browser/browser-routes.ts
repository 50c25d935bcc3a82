import fastifyCookie from '@fastify/cookie';
import csrfProtection from '@fastify/csrf-protection';
import formbody from '@fastify/formbody';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { PosternError } from '@postern/api';
import { page, showError } from '#http/browser/answers.ts';
import type { BrowserRoutes } from '#http/browser/browser-options.ts';
import { askedHost, type HostGateOptions, originOf } from '#http/browser/host-gate.ts';
import { launchRoutes } from '#http/browser/launch-routes.ts';
import { loginRoutes } from '#http/browser/login-routes.ts';
import type { ClusterFacts } from '#http/find.ts';
import { messagePage } from '#http/pages/message-page.ts';

const MAX_FORM_BYTES = 16 * 1024;

/** Everything under /web, and the names of applications; all of it for this proxy's own names alone. */
export async function browserRoutes(app: FastifyInstance, options: BrowserRoutes): Promise<void> {
  const { facts } = options;
  const gate: HostGateOptions = { publicAddress: () => facts().publicAddress, appHosts: options.appHosts };
  app.addHook('onRequest', async (request, reply) => {
    const asked = askedHost(request, gate);
    if (asked.kind === 'app' && (request.method === 'GET' || request.method === 'HEAD'))
      return reply.header('cache-control', 'no-store').redirect(`${originOf(facts().publicAddress)}/web/launch/${asked.app}`, 302);
    if (asked.kind !== 'own' && isPage(request)) return misdirected(reply, facts());
  });
  await app.register(fastifyCookie);
  await app.register(csrfProtection, {
    cookieKey: '__Host-csrf',
    cookieOpts: { path: '/', secure: true, httpOnly: true, sameSite: 'strict' },
    getToken: (request) => (request.body as { readonly _csrf?: string } | undefined)?._csrf,
  });
  await app.register(formbody, { bodyLimit: MAX_FORM_BYTES });
  await app.register(async (web) => {
    web.addHook('onRequest', async (request, reply) => {
      reply.header('cache-control', 'no-store').header('vary', 'cookie');
      if (request.method === 'GET' || request.method === 'HEAD') return;
      // Browsers name the site of every form that is posted; what names none is not a browser with a person before it.
      if (request.headers.origin !== originOf(facts().publicAddress))
        throw new PosternError('denied', 'this form was sent by another site, and nothing was done');
    });
    web.setErrorHandler((error, _request, reply) => showError(reply, { error, routes: options }));
    loginRoutes(web, options);
    launchRoutes(web, options);
    web.get('/web/*', () => {
      throw new PosternError('not_found', 'there is no page at this address');
    });
  });
}

/** `/webapi` is for programs, and they dial whatever name they were given. */
function isPage({ url }: FastifyRequest): boolean {
  return /^\/(?:web(?:[/?]|$)|\?|$)/.test(url);
}

function misdirected(reply: FastifyReply, { cluster, publicAddress }: ClusterFacts): FastifyReply {
  const link = { href: `${originOf(publicAddress)}/`, text: `Go to ${publicAddress}` };
  const message = `This is the proxy at ${publicAddress}, and no application is known by the name that was asked for.`;
  return page(
    reply.code(421).header('cache-control', 'no-store'),
    messagePage({ cluster, heading: 'Not this way', message, isProblem: true, link }),
  );
}
