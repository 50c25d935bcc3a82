import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import { fastify, type FastifyInstance } from 'fastify';
import { limits as bounds } from '@postern/limits';
import { answerDiagnostics, type Health } from '@postern/telemetry';
import type { ProxyLimits } from '#config.ts';
import { type ClusterFacts, findAnswer } from '#http/find.ts';
import type { BrowserOptions } from '#http/browser/browser-options.ts';
import { browserRoutes } from '#http/browser/browser-routes.ts';
import { homePage } from '#http/home-page.ts';
import { pageStyleHash } from '#http/pages/page.ts';

export interface WebServerOptions {
  readonly facts: () => ClusterFacts;
  readonly health: Health;
  readonly limits: ProxyLimits;
  /** A browser remembers HSTS; it is not told to where the certificate is one it cannot verify. */
  readonly selfSigned: boolean;
  readonly browser: BrowserOptions;
  readonly onError: (error: unknown) => void;
}

export interface WebServer {
  /** Takes a connection whose TLS has ended. */
  accept(socket: TLSSocket): void;
  stop(): Promise<void>;
}

const MAX_BODY_BYTES = 1024 * 1024;

/** The web server behind the peek. It never listens: connections are handed to it. */
export async function createWebServer(options: WebServerOptions): Promise<WebServer> {
  const { limits } = options;
  let http: Server | undefined;
  const app = fastify({
    logger: false,
    // Who is asking is the socket's peer: X-Forwarded-* is whatever a client cares to write.
    trustProxy: false,
    bodyLimit: MAX_BODY_BYTES,
    routerOptions: { caseSensitive: true, ignoreTrailingSlash: false, maxParamLength: 200 },
    clientErrorHandler: refuseUnread,
    serverFactory: (handler) => {
      http = createServer(
        {
          maxHeaderSize: bounds.headerBytes,
          headersTimeout: limits.headersMs,
          requestTimeout: 10 * limits.bodyIdleMs,
          connectionsCheckingInterval: 1_000,
        },
        handler,
      );
      http.maxHeadersCount = bounds.headerLines;
      http.keepAliveTimeout = 15_000;
      // A body that stops coming and an answer that is not taken: both are silence on the socket.
      http.timeout = limits.bodyIdleMs;
      return http;
    },
  });
  await secure(app, options);
  await browserRoutes(app, { ...options.browser, facts: options.facts, onError: options.onError });
  routes(app, options);
  await app.ready();
  const server = http;
  if (!server) throw new Error('the web server was not made');
  // Node checks the time limits of headers from the moment that a server listens; this one never does.
  server.emit('listening');
  const open = new Set<TLSSocket>();
  return {
    accept(socket) {
      open.add(socket);
      socket.once('close', () => open.delete(socket));
      server.emit('connection', socket);
    },
    async stop() {
      for (const socket of open) socket.destroy();
      await app.close();
      server.close();
    },
  };
}

async function secure(app: FastifyInstance, options: WebServerOptions): Promise<void> {
  app.addHook('onRequest', async (request, reply) => {
    const fault = requestFault(request.raw);
    if (fault) return reply.code(400).header('connection', 'close').send(errorBody(fault));
  });
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        styleSrc: [pageStyleHash],
        frameAncestors: ["'none'"],
        baseUri: ["'none'"],
        formAction: ["'self'"],
      },
    },
    strictTransportSecurity: options.selfSigned ? false : { maxAge: 31_536_000, includeSubDomains: false },
    xFrameOptions: { action: 'deny' },
    // Without a referrer of its own a browser sends `Origin: null` with a form, which is what a hostile page's would say.
    referrerPolicy: { policy: 'same-origin' },
  });
  await app.register(rateLimit, {
    max: options.limits.webRequestsPerMinute,
    timeWindow: 60_000,
    keyGenerator: (request) => request.socket.remoteAddress ?? 'unknown',
    errorResponseBuilder: (_request, { after }) =>
      Object.assign(new Error(`too many requests: try again in ${after}`), { statusCode: 429 }),
  });
  app.setNotFoundHandler((_request, reply) => reply.code(404).send(errorBody('there is nothing at this path')));
  app.setErrorHandler((error: { statusCode?: number; message: string }, _request, reply) => {
    const status = error.statusCode ?? 500;
    if (status >= 500) options.onError(error);
    return reply.code(status).send(errorBody(status >= 500 ? 'internal error: the server log has the cause' : error.message));
  });
}

function routes(app: FastifyInstance, options: WebServerOptions): void {
  const find = () => findAnswer(options.facts());
  for (const path of ['/v1/webapi/find', '/webapi/find', '/v1/webapi/ping', '/webapi/ping']) {
    app.get(path, (_request, reply) => reply.header('cache-control', 'no-store').send(find()));
  }
  for (const path of ['/healthz', '/readyz']) {
    app.get(path, async (_request, reply) => {
      const answer = await answerDiagnostics(path, { health: options.health });
      if (!answer) return reply.code(404).send(errorBody('there is nothing at this path'));
      return reply.code(answer.status).header('cache-control', 'no-store').type(answer.contentType).send(answer.body);
    });
  }
  app.get('/', (_request, reply) => reply.type('text/html; charset=utf-8').send(homePage(options.facts())));
}

const single = new Set(['host', 'authorization', 'content-length', 'cookie', 'origin', 'x-csrf-token']);

/** What Node lets pass and two readers may read in two ways. */
function requestFault(request: IncomingMessage): string | undefined {
  const seen = new Set<string>();
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    const name = (request.rawHeaders[i] ?? '').toLowerCase();
    if (single.has(name) && seen.has(name)) return `the header ${name} stands twice`;
    seen.add(name);
  }
  if (request.httpVersion !== '1.1' && request.headers['transfer-encoding'] !== undefined) return 'transfer-encoding needs HTTP/1.1';
  if (!request.url?.startsWith('/') || request.url.startsWith('//')) return 'the request target is not a path';
  return undefined;
}

/** A request that Node could not read. The socket is ended and not destroyed at once, so that the answer leaves. */
function refuseUnread(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable) return void socket.destroy();
  // Bytes behind a request that was the last of its connection: it has been answered, and two answers to one are one too many.
  if (error.code === 'HPE_CLOSED_CONNECTION') return socket.destroySoon();
  const [status, message] = unreadable[error.code ?? ''] ?? ['400 Bad Request', 'the request is malformed'];
  const body = JSON.stringify(errorBody(message));
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
  );
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}

const LINGER_MS = 1_000;
const unreadable: Readonly<Record<string, readonly [status: string, message: string]>> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', `headers take at most ${bounds.headerBytes} bytes`],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'the request did not come in time'],
};

function errorBody(message: string): { readonly error: { readonly message: string } } {
  return { error: { message } };
}
