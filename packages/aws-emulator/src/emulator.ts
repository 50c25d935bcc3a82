import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import { createServer as createHttp2Server, type Http2Server, type ServerHttp2Session } from 'node:http2';
import { createServer as createSecureServer } from 'node:https';
import type { TLSSocket } from 'node:tls';

import { Emulation } from '#emulation.ts';
import type { EmulatorOptions, Mode, RawLogEntry, SeedObject, SeedTable } from '#options.ts';

export interface Emulator {
  /** http://127.0.0.1:PORT, to be set as AWS_ENDPOINT_URL of an agent. */
  readonly url: string;
  readonly port: number;
  /** Of the second listener. */
  readonly tlsPort: number | undefined;
  close(): Promise<void>;
  /** The last 10,000 requests, oldest first. */
  log(): readonly RawLogEntry[];
  /** A fault for one operation or for all ("*"); undefined takes it away. */
  setMode(operation: string, mode: Mode | undefined): void;
  /** Does a DynamoDB operation without a signature, to put items there beforehand. */
  call(region: string, operation: string, input: unknown): Promise<unknown>;
  /** Makes a table with the hash key `id` (text), and puts items, in DynamoDB's JSON, into it. */
  seedTable(region: string, table: SeedTable): Promise<void>;
  /** Makes a bucket in a region, where it is not there yet, and puts an object into it. */
  seedObject(region: string, object: SeedObject): void;
}

/** A token of a session and a signature stand in a query as well. */
const maxHeaderBytes = 64 * 1024;

/** HTTP/1.1 where a client has both, as browsers do: HTTP/2 is for those that have nothing else. */
const ALPNCallback = ({ protocols }: { readonly protocols: readonly string[] }): string | undefined =>
  ['http/1.1', 'h2'].find((protocol) => protocols.includes(protocol));

const settings = { maxHeaderSize: maxHeaderBytes, requestTimeout: 0, keepAliveTimeout: 60_000 };

/** Starts the emulation of AWS for development and tests. It is never part of a production path. */
export async function startEmulator(options: EmulatorOptions): Promise<Emulator> {
  const emulation = new Emulation(options);
  const { key, cert, alsoTls, host = '127.0.0.1' } = options;
  const server =
    key === undefined || cert === undefined ? createServer(settings) : createSecureServer({ ...settings, ALPNCallback, key, cert });
  const second =
    alsoTls === undefined ? undefined : createSecureServer({ ...settings, ALPNCallback, key: alsoTls.key, cert: alsoTls.cert });
  const servers = [server, ...(second === undefined ? [] : [second])];
  const http2 = http2Door(emulation);
  for (const each of servers) serve(each, emulation, http2.server);
  const port = await listen(server, options.port ?? 0, host);
  const tlsPort = second === undefined ? undefined : await listen(second, alsoTls?.port ?? 0, host);
  return {
    url: `${key === undefined ? 'http' : 'https'}://${host}:${port}`,
    port,
    tlsPort,
    log: () => emulation.log.entries(),
    setMode: (operation, mode) => emulation.modes.set(operation, mode),
    call: (region, operation, input) => emulation.call(region, operation, input),
    seedTable: (region, table) => emulation.seedTable(region, table),
    seedObject: (region, object) => emulation.seedObject(region, object),
    close: async () => {
      const closed = Promise.all(servers.map(closeServer));
      emulation.closeUpgraded();
      http2.close();
      await closed;
      await emulation.close();
    },
  };
}

async function listen(server: Server, port: number, host: string): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** Takes the connections on which HTTP/2 was agreed; the same exchange serves both, by the requests that node:http2 makes for it. */
function http2Door(emulation: Emulation): { readonly server: Http2Server; readonly close: () => void } {
  const sessions = new Set<ServerHttp2Session>();
  const server = createHttp2Server({ maxSessionMemory: 64 });
  server.on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
  });
  server.on('sessionError', () => undefined);
  server.on('request', (request, response) => {
    const [message, answer] = [request, response] as unknown as [IncomingMessage, ServerResponse];
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    void emulation.handle(message, answer, { continue: false });
  });
  return { server, close: () => sessions.forEach((session) => session.destroy()) };
}

function serve(server: Server, emulation: Emulation, http2: Http2Server): void {
  const [takeHttp1] = server.listeners('secureConnection');
  server.removeAllListeners('secureConnection');
  server.on('secureConnection', (socket: TLSSocket) => {
    if (socket.alpnProtocol === 'h2') http2.emit('connection', socket);
    else takeHttp1?.call(server, socket);
  });
  const handle = (expectsContinue: boolean) => (request: IncomingMessage, response: ServerResponse) =>
    void emulation.handle(request, response, { continue: expectsContinue });
  server.on('request', handle(false));
  // Without this listener Node says 100 Continue by itself, before anything is verified.
  server.on('checkContinue', handle(true));
  server.on('upgrade', (request, socket, early) => {
    // What came with the request is the beginning of what is not HTTP.
    socket.unshift(early);
    emulation.upgrade(request, socket);
  });
}
