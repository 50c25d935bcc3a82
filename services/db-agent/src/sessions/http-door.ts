import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SessionConnection } from '@postern/agent';
import { MAX_HEADER_BYTES } from '#config.ts';

export interface Exchange {
  readonly connection: SessionConnection;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The client sends its body only once it has been told to go on. */
  readonly waitsForContinue: boolean;
  /** What is already read behind this request is no request: to be called where the client may mean something else by it. */
  readonly readNoMore: () => void;
}

export interface HttpDoorOptions {
  readonly onExchange: (exchange: Exchange) => void;
  /** Bytes that are no HTTP/1.1 request: the connection is closed after a short answer. */
  readonly onMalformed: (connection: SessionConnection, reason: string) => void;
  /** For tests; otherwise ten seconds and five minutes. */
  readonly headersTimeoutMs?: number;
  readonly requestTimeoutMs?: number;
}

export interface HttpDoor {
  accept(connection: SessionConnection): void;
  close(): void;
}

const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 300_000;
/** How often the two limits above are looked at; Node's own half a minute would make forty seconds of ten. */
const LOOK_MS = 1000;
/** SDKs send one request at a time on a connection; what pipelines more is not an SDK. */
const MAX_PIPELINED = 8;

/** Step 3: one HTTP parser for each stream. Node's strict parser refuses the classic smuggling forms; the rest is ours. */
export function createHttpDoor(options: HttpDoorOptions): HttpDoor {
  const connections = new WeakMap<Duplex, SessionConnection>();
  const underWay = new WeakMap<Duplex, number>();
  const ended = new WeakSet<Duplex>();

  const server = createServer({
    maxHeaderSize: MAX_HEADER_BYTES,
    insecureHTTPParser: false,
    // Node would answer a request without Host itself, tell nobody, and serve what stands behind it.
    requireHostHeader: false,
    headersTimeout: options.headersTimeoutMs ?? HEADERS_TIMEOUT_MS,
    requestTimeout: options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: LOOK_MS,
    // A client's idle connection costs 8 kB and ends with its certificate.
    keepAliveTimeout: 0,
  });
  // Node would drop the lines beyond its own limit without a word; they are counted instead.
  server.maxHeadersCount = 0;
  server.timeout = 0;
  // A client that shuts its sending side after a whole request (`nc -N`, RFC 9112, 9.6) waits for its answer. Node would end both sides.
  Object.assign(server, { httpAllowHalfOpen: true });
  // Node watches over slow requests, and knows which connections to close, only from the moment a server listens. This one never does.
  server.emit('listening');

  const take = (request: IncomingMessage, response: ServerResponse, waitsForContinue: boolean) => {
    const { socket } = request;
    const connection = connections.get(socket);
    if (ended.has(socket)) return;
    const pipelined = (underWay.get(socket) ?? 0) + 1;
    if (!connection || pipelined > MAX_PIPELINED) return void socket.destroy();
    underWay.set(socket, pipelined);
    response.once('close', () => underWay.set(socket, (underWay.get(socket) ?? 1) - 1));
    // What is written to a connection that has gone would end the process without a listener.
    response.on('error', () => response.destroy());
    options.onExchange({ connection, request, response, waitsForContinue, readNoMore: () => ended.add(socket) });
  };
  server.on('request', (request, response) => take(request, response, false));
  // Without a listener Node says "100 Continue" before anybody has decided anything.
  server.on('checkContinue', (request, response) => take(request, response, true));
  server.on('checkExpectation', (request, response) => take(request, response, false));
  const refuse = (socket: Duplex, status: string, reason: string) => {
    const connection = connections.get(socket);
    const known = ended.has(socket);
    ended.add(socket);
    // An answer that is on its way is to arrive: bytes behind a refused request come here too, and as often as they come.
    if (!connection || known || !socket.writable) return (socket as Socket).destroySoon();
    options.onMalformed(connection, reason);
    const body = JSON.stringify({ __type: 'com.amazon.coral.validate#ValidationException', message: reason });
    socket.end(
      `HTTP/1.1 ${status}\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    );
    (socket as Socket).destroySoon();
  };
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // Anything else is a connection that broke or was cut from here: nobody asked for anything.
    const isTheirs = error.code?.startsWith('HPE_') === true || error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
    if (isTheirs) refuse(socket, statusOf(error), malformed(error));
    else socket.destroy();
  });
  // Without a listener Node would hang up and nobody would hear of the attempt.
  server.on('connect', (_request, socket) => refuse(socket, '405 Method Not Allowed', 'method CONNECT is not POST'));

  return {
    accept(connection) {
      connections.set(connection.stream, connection);
      server.emit('connection', connection.stream);
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

function statusOf(error: NodeJS.ErrnoException): string {
  if (error.code === 'HPE_HEADER_OVERFLOW') return '431 Request Header Fields Too Large';
  return error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? '408 Request Timeout' : '400 Bad Request';
}

function malformed(error: NodeJS.ErrnoException): string {
  if (error.code === 'HPE_HEADER_OVERFLOW') return `the request header is over ${MAX_HEADER_BYTES} bytes`;
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'the request did not arrive in time';
  return 'the request is not valid HTTP/1.1';
}
