import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import {
  type Caller,
  type HostIdentity,
  implement,
  type JoinRequest,
  PosternError,
  type ResourceEvent,
  ResourceEvent_Type,
  type CallOrigin,
  services,
} from '@postern/api';
import { type Identity, Identity_Kind } from '@postern/api/identity';
import { type Authority, createAuthority, generateKey, issueCertificate, serverTlsOptions, verifyPeer } from '@postern/pki';
import { createGrpcTlsServer, type GrpcTlsServer } from '@postern/tunnel';

export const TOKEN = 'a1b2c3d4e5f60718293a4b5c6d7e8f90';
const kinds: Record<string, Identity_Kind> = { db: Identity_Kind.DB_AGENT, app: Identity_Kind.APP_AGENT, proxy: Identity_Kind.PROXY };
const everyKind = Object.values(Identity_Kind).filter((kind) => kind > 0);

function identityOfHost(cluster: string, kind: Identity_Kind, name: string): Identity {
  return { kind, name, cluster, roles: [], traits: {}, route: undefined, sessionId: '', secondFactor: false, generation: '' };
}

/** An auth server in miniature: true certificates, true gRPC, and nothing behind it. */
export class TestAuth {
  readonly cluster: string;
  readonly host: Authority;
  readonly user: Authority;
  readonly joins: JoinRequest[] = [];
  renewals = 0;
  hostTtlMs = 24 * 3_600_000;
  /** Thrown to whoever asks for a renewal. */
  renewalRefusal: PosternError | undefined;
  /** What a join or a renewal answers, where it is not the truth. */
  distort: (answer: HostIdentity) => HostIdentity = (answer) => answer;
  readonly watches = new Set<(event: ResourceEvent) => void>();
  state: ResourceEvent[] = [];
  readonly #sockets = new Set<Socket>();
  #grpc: GrpcTlsServer | undefined;
  #listener: Server | undefined;
  #port = 0;

  private constructor(cluster: string, host: Authority, user: Authority) {
    this.cluster = cluster;
    this.host = host;
    this.user = user;
  }

  static async start(
    options: { readonly cluster?: string; readonly presentsAuthority?: boolean; readonly as?: Identity_Kind } = {},
  ): Promise<TestAuth> {
    const { cluster = 'test.internal', presentsAuthority = true, as = Identity_Kind.AUTH } = options;
    const nowMs = Date.now();
    const auth = new TestAuth(
      cluster,
      await createAuthority({ kind: 'host', cluster, nowMs }),
      await createAuthority({ kind: 'user', cluster, nowMs }),
    );
    await auth.#listen(as, presentsAuthority);
    return auth;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }
  get port(): number {
    return this.#port;
  }

  /** As a network does that goes away: every connection at once. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  send(event: ResourceEvent): void {
    for (const watch of this.watches) watch(event);
  }

  async stop(): Promise<void> {
    await this.#grpc?.stop();
    this.cut();
    await new Promise((resolve) => (this.#listener ? this.#listener.close(resolve) : resolve(undefined)));
  }

  async #listen(as: Identity_Kind, presentsAuthority: boolean): Promise<void> {
    const key = generateKey();
    const { certificatePem } = await issueCertificate({
      authority: this.host,
      identity: identityOfHost(this.cluster, as, randomUUID()),
      publicKey: key.publicKeyDer,
      nowMs: Date.now(),
      notAfterMs: Date.now() + 3_600_000,
    });
    const grpc = createGrpcTlsServer({
      tls: serverTlsOptions({
        identity: {
          certificatePem,
          privateKeyPem: key.privateKeyPem,
          ...(presentsAuthority ? { chainPems: [this.host.certificatePem] } : {}),
        },
        // OpenSSL sends an authority that it trusts for clients along with its own certificate.
        clientCas: presentsAuthority ? [this.host.certificatePem, this.user.certificatePem] : [this.user.certificatePem],
        requestCert: true,
        rejectUnauthorized: false,
      }),
      services: this.#services(),
    });
    this.#grpc = grpc;
    this.#listener = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      grpc.acceptSocket(socket, { remoteAddress: socket.remoteAddress ?? '' });
    });
    this.#listener.listen(0, '127.0.0.1');
    await once(this.#listener, 'listening');
    this.#port = (this.#listener.address() as AddressInfo).port;
  }

  #services() {
    const options = { identify: (call: CallOrigin) => this.#identify(call), nowMs: Date.now, onUnexpected: () => undefined };
    const join = implement(services.join, { join: (request) => this.#join(request) }, options);
    const certs = implement(
      services.certs,
      {
        issueSessionCert: () => Promise.reject(new PosternError('unimplemented', 'not here')),
        endSession: () => Promise.reject(new PosternError('unimplemented', 'not here')),
        renewHostCert: async (request, { caller }) => {
          if (this.renewalRefusal) throw this.renewalRefusal;
          if (caller.kind !== 'identified') throw new PosternError('unauthenticated', 'no certificate');
          this.renewals += 1;
          return this.distort(await this.#issue(caller.identity.kind, caller.identity.name, request.publicKey));
        },
      },
      options,
    );
    const no = () => Promise.reject(new PosternError('unimplemented', 'not here'));
    const resources = implement(
      services.resources,
      {
        getResource: no,
        listResources: no,
        createResource: no,
        putResource: no,
        updateResource: no,
        deleteResource: no,
        watchResources: (_request, { signal }) => this.#watch(signal),
      },
      options,
    );
    return [join, certs, resources];
  }

  #identify(call: CallOrigin): Caller {
    const { certificateDer, remoteAddress: address } = this.#grpc?.peerOf(call) ?? { certificateDer: undefined, remoteAddress: '' };
    if (!certificateDer) return { kind: 'anonymous', address };
    const peer = verifyPeer({
      certificateDer,
      cluster: this.cluster,
      kinds: everyKind,
      hostCaPems: [this.host.certificatePem],
      userCaPems: [this.user.certificatePem],
      nowMs: Date.now(),
    });
    return { kind: 'identified', ...peer, address };
  }

  async #join(request: JoinRequest): Promise<HostIdentity> {
    this.joins.push(request);
    const kind = kinds[request.role];
    if (request.token !== TOKEN || kind === undefined) throw new PosternError('denied', 'the host cannot join: the token is not valid');
    return this.distort(await this.#issue(kind, randomUUID(), request.publicKey));
  }

  async #issue(kind: Identity_Kind, hostId: string, publicKey: Buffer): Promise<HostIdentity> {
    const { certificatePem, notAfterMs } = await issueCertificate({
      authority: this.host,
      identity: identityOfHost(this.cluster, kind, hostId),
      publicKey,
      nowMs: Date.now(),
      notAfterMs: Date.now() + this.hostTtlMs,
    });
    return {
      hostId,
      cluster: this.cluster,
      certificatePem,
      hostCaPems: [this.host.certificatePem],
      userCaPems: [this.user.certificatePem],
      validUntilMs: notAfterMs,
    };
  }

  async *#watch(signal: AbortSignal): AsyncGenerator<ResourceEvent> {
    const waiting: ResourceEvent[] = [...this.state];
    let wake = () => {};
    const push = (event: ResourceEvent) => {
      waiting.push(event);
      wake();
    };
    this.watches.add(push);
    signal.addEventListener('abort', () => wake(), { once: true });
    try {
      while (!signal.aborted) {
        const next = waiting.shift();
        if (next) yield next;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    } finally {
      this.watches.delete(push);
    }
  }
}

export function put(kind: string, name: string, revision: string, json: unknown = { kind, metadata: { name } }): ResourceEvent {
  return {
    type: ResourceEvent_Type.PUT,
    resource: { kind, name, revision, json: Buffer.from(typeof json === 'string' ? json : JSON.stringify(json)) },
    spreadMs: 0,
    quietMs: 0,
  };
}
export function remove(kind: string, name: string): ResourceEvent {
  return { type: ResourceEvent_Type.DELETE, resource: { kind, name, revision: '', json: Buffer.alloc(0) }, spreadMs: 0, quietMs: 0 };
}
export const synced: ResourceEvent = { type: ResourceEvent_Type.SYNCED, resource: undefined, spreadMs: 0, quietMs: 0 };
export const heartbeat: ResourceEvent = { type: ResourceEvent_Type.HEARTBEAT, resource: undefined, spreadMs: 0, quietMs: 0 };
