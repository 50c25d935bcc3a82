import { once } from 'node:events';
import { createServer as createWebServer, type Server as WebServer } from 'node:https';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Identity_Kind } from '@postern/api/identity';
import { type Authority, createAuthority, generateKey, issueCertificate } from '@postern/pki';

/** A proxy in miniature: one port, which by server name goes to auth, unread, or to a web server that answers /v1/webapi/find. */
export class TestProxy {
  /** What /v1/webapi/find answers. */
  answer: { status: number; body: string };
  readonly webRootPem: string;
  /** Everything that went by on its way to auth, both ways. */
  readonly spliced: Buffer[] = [];
  readonly requests: string[] = [];
  readonly #web: WebServer;
  readonly #listener: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(web: WebServer, webRootPem: string, auth: { readonly port: number }, answer: unknown) {
    this.#web = web;
    this.webRootPem = webRootPem;
    this.answer = { status: 200, body: JSON.stringify(answer) };
    web.on('request', (request, response) => {
      this.requests.push(`${request.method} ${request.url}`);
      response
        .writeHead(this.answer.status, { 'content-type': 'application/json', location: 'https://elsewhere.example/' })
        .end(this.answer.body);
    });
    this.#listener = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => socket.destroy()).on('close', () => this.#sockets.delete(socket));
      socket.once('data', (hello: Buffer) => {
        socket.pause();
        socket.unshift(hello);
        if (!hello.includes('auth.postern.internal')) return void web.emit('connection', socket);
        const onward = connect(auth.port, '127.0.0.1');
        onward.on('error', () => socket.destroy());
        socket.on('data', (chunk: Buffer) => this.spliced.push(chunk));
        onward.on('data', (chunk: Buffer) => this.spliced.push(chunk));
        socket.pipe(onward).pipe(socket);
      });
    });
  }

  static async start(options: {
    readonly auth: { readonly port: number; readonly cluster: string; readonly host: Authority };
    readonly webName?: string;
  }): Promise<TestProxy> {
    const { auth, webName = 'localhost' } = options;
    const nowMs = Date.now();
    const root = await createAuthority({ kind: 'host', cluster: 'web', nowMs });
    const key = generateKey();
    const identity = {
      kind: Identity_Kind.PROXY,
      name: 'web',
      cluster: 'web',
      roles: [],
      traits: {},
      route: undefined,
      sessionId: '',
      secondFactor: false,
      generation: '',
    };
    const { certificatePem } = await issueCertificate({
      authority: root,
      identity,
      publicKey: key.publicKeyDer,
      nowMs,
      notAfterMs: nowMs + 3_600_000,
      dnsNames: [webName],
    });
    const web = createWebServer({ cert: certificatePem, key: key.privateKeyPem });
    const answer = {
      cluster_name: auth.cluster,
      server_version: '0.1.0',
      host_ca_pems: [auth.host.certificatePem],
      proxy: { ssh: { public_addr: 'teleport.example.com:443' } },
    };
    const proxy = new TestProxy(web, root.certificatePem, auth, answer);
    proxy.#listener.listen(0, '127.0.0.1');
    await once(proxy.#listener, 'listening');
    return proxy;
  }

  get address(): string {
    return `localhost:${(this.#listener.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#web.close();
    await new Promise((resolve) => this.#listener.close(resolve));
  }
}
