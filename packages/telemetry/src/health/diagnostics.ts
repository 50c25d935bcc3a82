import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Health } from '#health/health.ts';
import type { Metrics } from '#metrics/metrics.ts';

export interface DiagnosticsOptions {
  readonly health: Health;
  readonly metrics?: Metrics;
}

export interface DiagnosticAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** What /healthz, /readyz and /metrics answer; undefined for any other path, so that a web server can ask it first. */
export async function answerDiagnostics(path: string, options: DiagnosticsOptions): Promise<DiagnosticAnswer | undefined> {
  if (path === '/healthz' || path === '/readyz') {
    const { ok, status, checks } = await options.health.report(path === '/healthz' ? 'alive' : 'ready');
    return { status, contentType: 'application/json', body: `${JSON.stringify({ status: ok ? 'ok' : 'unavailable', checks })}\n` };
  }
  if (path === '/metrics' && options.metrics) {
    return { status: 200, contentType: 'text/plain; version=0.0.4; charset=utf-8', body: options.metrics.page() };
  }
  return undefined;
}

export interface DiagnosticsServer {
  readonly address: { readonly host: string; readonly port: number };
  stop(): Promise<void>;
}

/** The plain-text server behind `diag_addr`. It answers whoever reaches it: bind it to loopback or a private network. */
export async function serveDiagnostics(
  options: DiagnosticsOptions & { readonly host: string; readonly port: number },
): Promise<DiagnosticsServer> {
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 10_000, keepAliveTimeout: 5_000 }, (request, response) => {
    void answer(request, response, options).catch(() => response.destroy());
  });
  server.maxConnections = 100;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const { address, port } = server.address() as AddressInfo;
  return {
    address: { host: address, port },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, options: DiagnosticsOptions): Promise<void> {
  const reading = request.method === 'GET' || request.method === 'HEAD';
  const found = reading ? await answerDiagnostics((request.url ?? '').replace(/\?.*$/, ''), options) : undefined;
  const { status, contentType, body } = found ?? {
    status: reading ? 404 : 405,
    contentType: 'text/plain',
    body: reading ? 'not found\n' : 'only GET is answered\n',
  };
  response.writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(body), 'cache-control': 'no-store' });
  response.end(request.method === 'HEAD' ? undefined : body);
}
