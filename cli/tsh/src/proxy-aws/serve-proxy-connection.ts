import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { CONNECT_KEYS, HTTP2 } from '@postern/api/connect-keys';
import { speaksHttp2 } from '@postern/aws';
import { joinStreams } from '@postern/tunnel';
import type { RefusalText } from '#local-port/aws-refusal.ts';
import { readHead } from '#local-port/read-head.ts';
import { openInTime, serveConnection } from '#local-port/serve-connection.ts';
import { serveHttp2 } from '#local-port/serve-http2.ts';
import type { ConnectHeaders } from '#sessions/agent-channel.ts';
import { type ConnectTarget, connectTarget } from '#proxy-aws/connect-target.ts';
import { dialDirectly } from '#proxy-aws/dial-directly.ts';
import { endTls } from '#proxy-aws/end-tls.ts';
import type { LocalCertificates } from '#proxy-aws/local-certificates.ts';
import { routeOf } from '#proxy-aws/route-of.ts';

export interface ProxyConnectionOptions {
  readonly openStream: (headers: ConnectHeaders) => Promise<Duplex>;
  /** The local port and the throw-away key. */
  readonly headers: ConnectHeaders;
  readonly certificates: Pick<LocalCertificates, 'for'>;
  /** Whether the application names this host beside AWS's own. */
  readonly isOwnHost: (host: string) => Promise<boolean>;
  readonly dial?: (target: ConnectTarget) => Promise<Duplex>;
  readonly refusal: RefusalText;
  readonly notice: (line: string) => void;
}

/** One connection to the forward proxy, from its CONNECT on. Never rejects. */
export async function serveProxyConnection(socket: Socket, options: ProxyConnectionOptions): Promise<void> {
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  const first = await readHead(socket);
  if (first.kind === 'closed') return void socket.destroy();
  const target = first.kind === 'refused' ? ({ status: 400, reason: first.reason } as const) : connectTarget(first.head);
  if ('reason' in target) {
    options.notice(`refused a local connection: ${target.reason}`);
    return answer(socket, target.status, target.reason);
  }
  if (first.kind === 'refused') return;
  const behind = first.bytes.subarray(first.head.length + END_OF_HEAD_BYTES);
  if (behind.length > 0) socket.unshift(behind);
  try {
    await connectTo(socket, target, options);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    options.notice(reason);
    answer(socket, 502, reason);
  }
}
const END_OF_HEAD_BYTES = 4;

async function connectTo(socket: Socket, target: ConnectTarget, options: ProxyConnectionOptions): Promise<void> {
  const route = await routeOf(target, options.isOwnHost);
  switch (route.kind) {
    case 'refused':
      options.notice(`refused a local connection: ${route.reason}`);
      return answer(socket, 403, route.reason);
    case 'direct':
      return joinTo(socket, await (options.dial ?? dialDirectly)(target));
    case 'tunnel':
      return joinTo(socket, await openInTime(options.openStream({ ...options.headers, [CONNECT_KEYS.tunnelHost]: route.host })));
    case 'aws':
      return serveAws(socket, target.host, options);
  }
}

/** Within TLS the bytes are an SDK's requests: from its first head on they are the agent's, who verifies each. */
async function serveAws(socket: Socket, host: string, options: ProxyConnectionOptions): Promise<void> {
  const context = await options.certificates.for(host);
  socket.write(ESTABLISHED);
  try {
    const secure = await endTls(socket, { host, context, offersHttp2: speaksHttp2(host) });
    const headers = { ...options.headers, [CONNECT_KEYS.connectHost]: host };
    const { openStream, refusal, notice } = options;
    if (secure.alpnProtocol === HTTP2)
      return await serveHttp2(secure, { openStream: () => openStream({ ...headers, [CONNECT_KEYS.protocol]: HTTP2 }), refusal, notice });
    await serveConnection(secure, { openStream: () => openStream(headers), guard: () => undefined, refusal, notice });
  } catch (error) {
    // Behind its handshake a client takes no answer of a proxy any more.
    options.notice(error instanceof Error ? error.message : String(error));
    socket.destroy();
  }
}

const ESTABLISHED = 'HTTP/1.1 200 Connection established\r\n\r\n';

function joinTo(socket: Socket, far: Duplex): void {
  if (socket.destroyed) return void far.destroy();
  socket.write(ESTABLISHED);
  joinStreams(socket, far);
}

const PHRASES = { 400: 'Bad Request', 403: 'Forbidden', 405: 'Method Not Allowed', 502: 'Bad Gateway' } as const;

/** Programs print the first line of a proxy's answer and nothing else: the reason stands there as well. */
function answer(socket: Socket, status: keyof typeof PHRASES, reason: string): void {
  const words = `tsh proxy aws: ${reason}`.replace(/[^ -~]/g, '?');
  const body = `${words}\n`;
  const head = [
    `HTTP/1.1 ${status} ${PHRASES[status]} - ${words}`,
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  socket.resume();
  const LINGER_MS = 1_000;
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(timer));
}
