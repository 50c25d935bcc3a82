import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { AgentSession, type PosternError } from '@postern/api';
import { type Identity, Identity_Kind } from '@postern/api/identity';
import { type Authority, createAuthority, generateKey, issueCertificate, serverTlsOptions } from '@postern/pki';
import { type ByteStream, byteStream, createGrpcTlsServer, ServerRawCall } from '@postern/tunnel';
import type { SessionGrant } from '#sessions/session-grant.ts';

/** A cluster's two authorities, and agents that serve AgentSession with real certificates. The proxy would only copy what passes here. */
export const CLUSTER = 'example.internal';
const HOUR_MS = 3_600_000;

export interface TestCluster {
  readonly host: Authority;
  readonly user: Authority;
}
export async function testCluster(): Promise<TestCluster> {
  const nowMs = Date.now();
  return {
    host: await createAuthority({ kind: 'host', cluster: CLUSTER, nowMs }),
    user: await createAuthority({ kind: 'user', cluster: CLUSTER, nowMs }),
  };
}

export interface TestAgent {
  readonly address: string;
  /** What was in postern-local-port, call by call. */
  readonly localPorts: string[];
  connections(): number;
  stop(): Promise<void>;
}

export async function startAgent(
  cluster: TestCluster,
  options: {
    readonly id: string;
    readonly kind?: Identity_Kind;
    readonly serve: (stream: ByteStream) => void;
    readonly refusal?: () => PosternError | undefined;
  },
): Promise<TestAgent> {
  const held = await certificate(cluster.host, identity(options.kind ?? Identity_Kind.DB_AGENT, options.id));
  const localPorts: string[] = [];
  const server = createGrpcTlsServer({
    tls: serverTlsOptions({ identity: held, clientCas: [cluster.user.certificatePem], requestCert: true, rejectUnauthorized: true }),
    services: [
      {
        definition: { connect: AgentSession.connect },
        implementation: {},
        rawCalls: new Map([
          [
            AgentSession.connect.path,
            (call) => {
              localPorts.push(String(call.metadata.get('postern-local-port')[0]));
              const stream = byteStream(ServerRawCall.of(call));
              stream.on('error', () => undefined);
              options.serve(stream);
            },
          ],
        ]),
      },
    ],
    admit: () => options.refusal?.() ?? true,
  });
  const sockets = new Set<Socket>();
  const listener = createServer((socket) => {
    sockets.add(socket.once('close', () => sockets.delete(socket)));
    server.acceptSocket(socket, { remoteAddress: 'client' });
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  return {
    address: `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    localPorts,
    connections: () => server.connectionCount,
    stop: async () => {
      listener.close();
      await server.stop();
      for (const socket of sockets) socket.destroy();
    },
  };
}

export async function grantFor(
  cluster: TestCluster,
  options: { readonly agentIds: readonly string[]; readonly ttlMs?: number },
): Promise<SessionGrant> {
  const validUntilMs = Date.now() + (options.ttlMs ?? HOUR_MS);
  const route = { resourceKind: 'db', resourceName: 'orders', principal: 'Reader' };
  const held = await certificate(cluster.user, { ...identity(Identity_Kind.SESSION, 'alice'), route, sessionId: 'session' }, validUntilMs);
  return {
    ...held,
    kind: 'db',
    name: 'orders',
    principal: 'Reader',
    protocol: 'dynamodb',
    ticket: 'a'.repeat(58),
    agentIds: options.agentIds,
    hostCaPems: [cluster.host.certificatePem],
    validUntilMs,
  };
}

function identity(kind: Identity_Kind, name: string): Identity {
  return { kind, name, cluster: CLUSTER, roles: [], traits: {}, route: undefined, sessionId: '', secondFactor: false, generation: '1' };
}

async function certificate(authority: Authority, who: Identity, notAfterMs = Date.now() + HOUR_MS) {
  const key = generateKey();
  const { certificatePem } = await issueCertificate({
    authority,
    identity: who,
    publicKey: key.publicKeyDer,
    notAfterMs,
    nowMs: Date.now(),
  });
  return { certificatePem, privateKeyPem: key.privateKeyPem };
}
