import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { SessionConnection } from '@postern/agent';
import { MAX_HEADER_BYTES } from '#config.ts';

export interface Exchange {
  readonly connection: SessionConnection;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The client sends its body only once it has been told to go on. */
  readonly waitsForContinue: boolean;
}

export interface HttpDoorOptions {
  readonly onExchange: (exchange: Exchange) => void;
  /** Bytes that are no HTTP/1.1 request: the connection is closed after a short answer. */
  readonly onMalformed: (connection: SessionConnection, reason: string) => void;
}

export interface HttpDoor {
  accept(connection: SessionConnection): void;
  close(): void;
}

const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 300_000;
/** SDKs send one request at a time on a connection; what pipelines more is not an SDK. */
const MAX_PIPELINED = 8;

/** Step 3: one HTTP parser for each stream. Node's strict parser refuses the classic smuggling forms; the rest is ours. */
export function createHttpDoor(options: HttpDoorOptions): HttpDoor {
  const connections = new WeakMap<Duplex, SessionConnection>();
  const underWay = new WeakMap<Duplex, number>();

  const server = createServer({
    maxHeaderSize: MAX_HEADER_BYTES,
    insecureHTTPParser: false,
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    // A client's idle connection costs 8 kB and ends with its certificate.
    keepAliveTimeout: 0,
  });
  // Node would drop the lines beyond its own limit without a word; they are counted instead.
  server.maxHeadersCount = 0;
  server.timeout = 0;

  const take = (request: IncomingMessage, response: ServerResponse, waitsForContinue: boolean) => {
    const { socket } = request;
    const connection = connections.get(socket);
    const pipelined = (underWay.get(socket) ?? 0) + 1;
    if (!connection || pipelined > MAX_PIPELINED) return void socket.destroy();
    underWay.set(socket, pipelined);
    response.once('close', () => underWay.set(socket, (underWay.get(socket) ?? 1) - 1));
    // What is written to a connection that has gone would end the process without a listener.
    response.on('error', () => response.destroy());
    options.onExchange({ connection, request, response, waitsForContinue });
  };
  server.on('request', (request, response) => take(request, response, false));
  // Without a listener Node says "100 Continue" before anybody has decided anything.
  server.on('checkContinue', (request, response) => take(request, response, true));
  server.on('checkExpectation', (request, response) => take(request, response, false));
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const connection = connections.get(socket);
    // Anything else is a connection that broke or was cut from here: nobody asked for anything.
    const isTheirs = error.code?.startsWith('HPE_') === true || error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
    if (!connection || !isTheirs) return void socket.destroy();
    options.onMalformed(connection, malformed(error));
    if (!socket.writable) return void socket.destroy();
    const status =
      error.code === 'HPE_HEADER_OVERFLOW'
        ? '431 Request Header Fields Too Large'
        : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
          ? '408 Request Timeout'
          : '400 Bad Request';
    const body = JSON.stringify({ __type: 'com.amazon.coral.validate#ValidationException', message: malformed(error) });
    socket.end(
      `HTTP/1.1 ${status}\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    );
  });

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

function malformed(error: NodeJS.ErrnoException): string {
  if (error.code === 'HPE_HEADER_OVERFLOW') return `the request header is over ${MAX_HEADER_BYTES} bytes`;
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'the request did not arrive in time';
  return 'the request is not valid HTTP/1.1';
}
