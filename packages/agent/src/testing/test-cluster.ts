import { createServer, type AddressInfo } from 'node:net';
import { Duplex } from 'node:stream';
import { createSecureContext } from 'node:tls';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { AgentSession, fromServiceError, Identity, Identity_Kind, openDuplex } from '@postern/api';
import {
  type Authority,
  clientContextOptions,
  createAuthority,
  generateKey,
  type IdentityMaterial,
  issueCertificate,
  serverIdentityCheck,
  serverTlsOptions,
  verifyPeer,
} from '@postern/pki';
import { wideChannelOptions } from '@postern/tunnel';
import { CONNECT_KEYS } from '#session/connect-facts.ts';
import type { SessionServer } from '#session/session-server.ts';

export interface SessionWish {
  readonly user?: string;
  readonly roles?: readonly string[];
  readonly generation?: string;
  readonly kind?: Identity_Kind;
  readonly resourceKind?: string;
  readonly resourceName?: string;
  readonly principal?: string;
  readonly notAfterMs?: number;
  readonly nowMs?: number;
  readonly sessionId?: string;
}

export const AGENT_ID = '6d0e8a52-0f2c-4f59-9a2b-52a2c6a9f111';

/** The authorities of a cluster and certificates of every kind, made by the real thing. */
export class TestCluster {
  readonly name: string;
  readonly host: Authority;
  readonly user: Authority;

  private constructor(name: string, host: Authority, user: Authority) {
    this.name = name;
    this.host = host;
    this.user = user;
  }

  static async create(name = 'test'): Promise<TestCluster> {
    const nowMs = Date.now();
    return new TestCluster(
      name,
      await createAuthority({ kind: 'host', cluster: name, nowMs }),
      await createAuthority({ kind: 'user', cluster: name, nowMs }),
    );
  }

  agent(): Promise<IdentityMaterial> {
    return this.#issue(this.host, { kind: Identity_Kind.DB_AGENT, name: AGENT_ID, cluster: this.name }, Date.now() + 3_600_000);
  }

  proxy(): Promise<IdentityMaterial> {
    return this.#issue(this.host, { kind: Identity_Kind.PROXY, name: 'proxy-1', cluster: this.name }, Date.now() + 3_600_000);
  }

  session(wish: SessionWish = {}): Promise<IdentityMaterial> {
    const identity = {
      kind: wish.kind ?? Identity_Kind.SESSION,
      name: wish.user ?? 'alice',
      cluster: this.name,
      roles: [...(wish.roles ?? ['dev'])],
      generation: wish.generation ?? 'g1',
      sessionId: wish.sessionId ?? 'session-1',
      ...((wish.kind ?? Identity_Kind.SESSION) === Identity_Kind.SESSION
        ? {
            route: {
              resourceKind: wish.resourceKind ?? 'db',
              resourceName: wish.resourceName ?? 'orders',
              principal: wish.principal ?? 'Reader',
            },
          }
        : {}),
    };
    return this.#issue(this.user, identity, wish.notAfterMs ?? Date.now() + 3_600_000, wish.nowMs);
  }

  async #issue(
    authority: Authority,
    identity: Parameters<typeof Identity.fromPartial>[0],
    notAfterMs: number,
    nowMs = Date.now(),
  ): Promise<IdentityMaterial> {
    const key = generateKey();
    const issued = await issueCertificate({
      authority,
      identity: Identity.fromPartial(identity),
      publicKey: key.publicKeyDer,
      notAfterMs,
      nowMs,
    });
    return { certificatePem: issued.certificatePem, privateKeyPem: key.privateKeyPem };
  }

  serverTls(agent: IdentityMaterial) {
    return serverTlsOptions({ identity: agent, clientCas: [this.user.certificatePem], requestCert: true, rejectUnauthorized: true });
  }

  verifySession(certificateDer: Buffer, nowMs = Date.now()) {
    const { name: cluster, host, user } = this;
    return verifyPeer({
      certificateDer,
      cluster,
      kinds: [Identity_Kind.SESSION],
      hostCaPems: [host.certificatePem],
      userCaPems: [user.certificatePem],
      nowMs,
    });
  }

  /** A gRPC channel as tsh opens it, here without the proxy between. */
  dial(port: number, identity: IdentityMaterial): Client {
    const context = createSecureContext(clientContextOptions([this.host.certificatePem], identity));
    const expect = { cluster: this.name, kinds: [Identity_Kind.DB_AGENT], hostCaPems: [this.host.certificatePem], nowMs: Date.now };
    const channel = credentials.createFromSecureContext(context, { checkServerIdentity: serverIdentityCheck(expect) });
    return new Client(
      `127.0.0.1:${port}`,
      channel,
      wideChannelOptions({ 'grpc.ssl_target_name_override': 'ticket.session.postern.internal' }),
    );
  }
}

/** Opens a stream as any gRPC client may: grpc-js and nothing of ours stands at this end. */
export function openStream(client: Client, localPort: number | undefined): Duplex {
  const metadata = new Metadata();
  if (localPort !== undefined) metadata.set(CONNECT_KEYS.localPort, String(localPort));
  const call = openDuplex(client, AgentSession.connect, { metadata });
  const stream = new Duplex({
    read: () => void call.resume(),
    write: (chunk: Buffer, _encoding, done) => void call.write(chunk, done),
    destroy: (error, done) => {
      call.cancel();
      done(error);
    },
  });
  call.on('data', (message: Buffer) => stream.push(message.length === 0 ? null : message));
  call.on('error', (error: ServiceError) => stream.destroy(fromServiceError(error)));
  return stream;
}

/** Stands where the tunnel would: hands loopback connections to the session server. */
export async function listenFor(server: Pick<SessionServer, 'accept'>): Promise<{ readonly port: number; close(): void }> {
  const listener = createServer((socket) => server.accept(socket, { remoteAddress: `198.51.100.7:${socket.remotePort ?? 0}` }));
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  return { port: (listener.address() as AddressInfo).port, close: () => listener.close() };
}
