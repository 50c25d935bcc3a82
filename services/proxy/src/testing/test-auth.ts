import { randomUUID } from 'node:crypto';
import { createServer, type AddressInfo, type Server as NetServer, type Socket } from 'node:net';
import { type Caller, Identity, Identity_Kind, implement, PosternError, ResourceEvent_Type, services } from '@postern/api';
import { type Authority, issueCertificate, readProxyHeader, serverTlsOptions, verifyPeer } from '@postern/pki';
import { listFor, peopleServices, type TestPeople } from '#testing/test-people.ts';
import { createGrpcTlsServer, type GrpcTlsServer, peerOf } from '@postern/tunnel';

const HOUR_MS = 3_600_000;

export interface TestAuthOptions {
  readonly port: number;
  readonly identity: { readonly certificatePem: string; readonly privateKeyPem: string };
  readonly cluster: string;
  readonly ticketKey: Buffer;
  readonly joinToken: string;
  readonly host: Authority;
  readonly user: Authority;
  readonly resources: (kind: string) => readonly unknown[];
  readonly onChange: (listener: () => void) => void;
  readonly announcements: { readonly publicAddress: string; readonly proxyId: string }[];
  readonly seenAddresses: string[];
  readonly people: TestPeople;
  readonly onError: (error: unknown) => void;
}

export interface TestAuth {
  readonly port: number;
  stop(): Promise<void>;
}

/** Answers as auth does towards proxies, over real TLS: join, watch, route keys, presence. */
export async function startTestAuth(options: TestAuthOptions): Promise<TestAuth> {
  const identify = (call: Parameters<typeof peerOf>[0]): Caller => {
    const { certificateDer, remoteAddress } = peerOf(call);
    if (!certificateDer) return { kind: 'anonymous', address: remoteAddress };
    const kinds = [Identity_Kind.PROXY, Identity_Kind.USER];
    const peer = verifyPeer({
      certificateDer,
      cluster: options.cluster,
      kinds,
      hostCaPems: [options.host.certificatePem],
      userCaPems: [options.user.certificatePem],
      nowMs: Date.now(),
    });
    return { kind: 'identified', identity: peer.identity, serial: peer.serial, notAfterMs: peer.notAfterMs, address: remoteAddress };
  };
  const common = { identify, nowMs: Date.now, onUnexpected: (error: unknown) => options.onError(error) };
  const routeKeys = implement(
    services.routeKeys,
    {
      async *watchRouteKeys(_request, { signal }) {
        yield { keys: [{ key: options.ticketKey, notAfterMs: Date.now() + HOUR_MS }] };
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      },
    },
    common,
  );
  const presence = implement(
    services.presence,
    {
      announceServers: () => Promise.reject(new Error('not asked here')),
      announceProxy: async ({ publicAddress }, { caller }) => {
        options.announcements.push({ publicAddress, proxyId: caller.kind === 'identified' ? caller.identity.name : '' });
        return {};
      },
    },
    common,
  );
  const joining = implement(services.join, { join: (request) => join(request, options) }, common);
  const refuse = () => Promise.reject(new PosternError('unimplemented', 'not asked here'));
  const resources = implement(
    services.resources,
    {
      getResource: refuse,
      listResources: (request, { caller }) => listFor(options.people, request.kind, caller),
      createResource: refuse,
      putResource: refuse,
      updateResource: refuse,
      deleteResource: refuse,
      watchResources: (request, { signal }) => watch(request.kinds, signal, options),
    },
    common,
  );
  const server = createGrpcTlsServer({
    tls: serverTlsOptions({
      identity: options.identity,
      clientCas: [options.host.certificatePem, options.user.certificatePem],
      requestCert: true,
      rejectUnauthorized: false,
    }),
    services: [routeKeys, presence, joining, resources, ...peopleServices(options, common)],
  });
  const listener = createServer((socket) => accept(socket, server, options));
  const port = await listen(listener, options.port);
  return {
    port,
    async stop() {
      listener.close();
      await server.stop();
    },
  };
}

async function join({ token, publicKey }: { readonly token: string; readonly publicKey: Buffer }, options: TestAuthOptions) {
  if (token !== options.joinToken) throw new PosternError('denied', 'the token is not valid');
  const [hostId, nowMs] = [randomUUID(), Date.now()];
  const identity = Identity.create({ kind: Identity_Kind.PROXY, name: hostId, cluster: options.cluster });
  const issued = await issueCertificate({ authority: options.host, identity, publicKey, notAfterMs: nowMs + HOUR_MS, nowMs });
  return {
    hostId,
    cluster: options.cluster,
    certificatePem: issued.certificatePem,
    hostCaPems: [options.host.certificatePem],
    userCaPems: [options.user.certificatePem],
    validUntilMs: issued.notAfterMs,
  };
}

/** Each change ends the stream here: the watcher asks again and is told the whole state. */
async function* watch(kinds: readonly string[], signal: AbortSignal, options: TestAuthOptions) {
  for (const kind of kinds) {
    for (const [i, resource] of options.resources(kind).entries()) {
      const json = Buffer.from(JSON.stringify(resource));
      yield { type: ResourceEvent_Type.PUT, resource: { kind, name: String(i), revision: randomUUID(), json }, spreadMs: 0, quietMs: 0 };
    }
  }
  yield { type: ResourceEvent_Type.SYNCED, resource: undefined, spreadMs: 0, quietMs: 0 };
  await new Promise<void>((resolve) => {
    options.onChange(resolve);
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function accept(socket: Socket, server: GrpcTlsServer, options: TestAuthOptions): void {
  socket.on('error', () => socket.destroy());
  socket.once('readable', () => {
    const bytes: Buffer = socket.read() ?? Buffer.alloc(0);
    const header = readProxyHeader({ bytes, keys: [options.ticketKey] });
    const skip = 'length' in header ? header.length : 0;
    const address =
      header.kind === 'proven' ? `${header.clientAddress}:${header.clientPort}` : `${socket.remoteAddress}:${socket.remotePort}`;
    options.seenAddresses.push(`${header.kind} ${address}`);
    if (bytes.length > skip) socket.unshift(bytes.subarray(skip));
    server.acceptSocket(socket, { remoteAddress: address });
  });
}

export function listen(server: NetServer, port = 0): Promise<number> {
  return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)));
}
