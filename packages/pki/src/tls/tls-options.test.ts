import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type ConnectionOptions, connect, createServer, type Server, type TLSSocket } from 'node:tls';
import { Identity_Kind } from '@postern/api/identity';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Authority, createAuthority } from '#certificates/authority.ts';
import { checkPeer } from '#certificates/check-peer.ts';
import { issueCertificate } from '#certificates/issue-certificate.ts';
import { generateKey } from '#certificates/keys.ts';
import { agent, CLUSTER, HOUR_MS, identity } from '#testing/identities.ts';
import { clientTlsOptions, HANDSHAKE_TIMEOUT_MS, type IdentityMaterial, serverTlsOptions } from '#tls/tls-options.ts';

const AUTH_ID = 'a-1';
let user: Authority;
let host: Authority;
let auth: IdentityMaterial;
const servers: Server[] = [];

beforeAll(async () => {
  const nowMs = Date.now();
  user = await createAuthority({ kind: 'user', cluster: CLUSTER, nowMs });
  host = await createAuthority({ kind: 'host', cluster: CLUSTER, nowMs });
  auth = await material(host, { kind: Identity_Kind.AUTH, name: AUTH_ID });
});
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

async function material(authority: Authority, who: { kind: Identity_Kind; name: string }, ttlMs = HOUR_MS): Promise<IdentityMaterial> {
  const key = generateKey();
  const subject = authority.kind === 'user' ? identity(who) : agent(who);
  const { certificatePem } = await issueCertificate({
    authority,
    identity: subject,
    publicKey: key.publicKeyDer,
    nowMs: Date.now(),
    notAfterMs: Date.now() + ttlMs,
  });
  return { certificatePem, privateKeyPem: key.privateKeyPem };
}

async function serve(
  options: Parameters<typeof serverTlsOptions>[0],
  onClient: (socket: TLSSocket) => void = (socket) => socket.end('hello'),
): Promise<number> {
  const server = createServer(serverTlsOptions(options), (socket) => {
    socket.on('error', () => socket.destroy());
    onClient(socket);
  });
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const strict = () => ({
  identity: auth,
  clientCas: [user.certificatePem, host.certificatePem],
  requestCert: true,
  rejectUnauthorized: true,
});
const expectAuth = (names?: readonly string[]) => ({
  cluster: CLUSTER,
  kinds: [Identity_Kind.AUTH],
  hostCaPems: [host.certificatePem],
  nowMs: Date.now,
  ...(names ? { names } : {}),
});

interface Dialled {
  readonly text: string;
  readonly protocol: string | null;
  readonly cipher: string;
  readonly group: string;
  readonly reused: boolean;
  readonly sessions: readonly Buffer[];
}

function dial(port: number, options: ConnectionOptions): Promise<Dialled> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, ...options });
    const sessions: Buffer[] = [];
    let text = '';
    let met: Omit<Dialled, 'text' | 'sessions'> | undefined;
    socket.on('session', (session) => sessions.push(session));
    socket.on('secureConnect', () => {
      const { name = '' } = socket.getEphemeralKeyInfo() as { name?: string };
      met = { protocol: socket.getProtocol(), cipher: socket.getCipher().name, group: name, reused: socket.isSessionReused() };
    });
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    socket.on('error', reject);
    socket.on('close', () => (met && text !== '' ? resolve({ ...met, text, sessions }) : reject(new Error('closed before a word'))));
  });
}

const to = (identity?: IdentityMaterial, names?: readonly string[]) =>
  clientTlsOptions({ serverName: 'auth.postern.internal', expect: expectAuth(names), ...(identity ? { identity } : {}) });

describe('a handshake between parts of one cluster', () => {
  it('prefers TLS 1.3, AES-GCM and X25519, and both sides know each other by certificate', async () => {
    let seen: string | undefined;
    const port = await serve(strict(), (socket) => {
      const peer = checkPeer({
        certificateDer: socket.getPeerCertificate().raw,
        cluster: CLUSTER,
        kinds: [Identity_Kind.USER],
        hostCaPems: [],
        userCaPems: [user.certificatePem],
        nowMs: Date.now(),
      });
      seen = peer.name;
      socket.end('hello');
    });
    const met = await dial(port, to(await material(user, { kind: Identity_Kind.USER, name: 'alice' }), [AUTH_ID]));
    expect(met).toMatchObject({ text: 'hello', protocol: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256', group: 'X25519', reused: false });
    expect(seen).toBe('alice');
  });

  it('agrees on P-256 with a client that has nothing else, as that of a validated OpenSSL', async () => {
    const port = await serve({ ...strict(), requestCert: false });
    expect(await dial(port, { ...to(), ecdhCurve: 'P-256' })).toMatchObject({ protocol: 'TLSv1.3', group: 'prime256v1' });
  });

  it('works over TLS 1.2 and refuses 1.1 and ciphers without GCM', async () => {
    const port = await serve({ ...strict(), requestCert: false });
    expect(await dial(port, { ...to(), maxVersion: 'TLSv1.2' })).toMatchObject({
      protocol: 'TLSv1.2',
      cipher: 'ECDHE-ECDSA-AES128-GCM-SHA256',
    });
    await expect(dial(port, { ...to(), minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL@SECLEVEL=0' })).rejects.toThrow();
    await expect(dial(port, { ...to(), maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA256' })).rejects.toThrow();
    await expect(dial(port, { ...to(), minVersion: 'TLSv1.3', ciphers: 'TLS_CHACHA20_POLY1305_SHA256' })).rejects.toThrow();
  });

  it.each([
    ['another kind of server', () => material(host, { kind: Identity_Kind.PROXY, name: 'p' }), undefined, 'of this kind is not accepted'],
    ['another server than the one named', () => Promise.resolve(auth), ['a-2'], 'is not accepted here'],
    [
      'a server of another cluster with the same names',
      async () =>
        material(await createAuthority({ kind: 'host', cluster: CLUSTER, nowMs: Date.now() }), { kind: Identity_Kind.AUTH, name: AUTH_ID }),
      undefined,
      '',
    ],
    ['a user who plays auth', () => material(user, { kind: Identity_Kind.USER, name: 'auth' }), undefined, ''],
  ] as const)('the client refuses %s', async (_what, served, names, message) => {
    const port = await serve({ ...strict(), identity: await served(), requestCert: false });
    await expect(dial(port, to(undefined, names))).rejects.toThrow(message);
  });

  it.each([
    ['without a certificate', () => Promise.resolve(undefined)],
    [
      'of another cluster with the same names',
      async () =>
        material(await createAuthority({ kind: 'user', cluster: CLUSTER, nowMs: Date.now() }), { kind: Identity_Kind.USER, name: 'alice' }),
    ],
  ])('the server refuses a client %s', async (_what, client) => {
    const port = await serve(strict());
    await expect(dial(port, to(await client()))).rejects.toThrow();
  });

  it('presents the authority after its own certificate where it is told to', async () => {
    const port = await serve({ ...strict(), identity: { ...auth, chainPems: [host.certificatePem] }, requestCert: false });
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const leaf = socket.getPeerCertificate(true);
    socket.destroy();
    expect(leaf.issuerCertificate.raw.toString('base64')).toBe(host.certificatePem.replaceAll(/-----[^-]+-----|\s/g, ''));
  });
});

describe('no session is resumed', () => {
  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'over %s: an offered session ends in a full handshake, and after expiry in none',
    async (version) => {
      const port = await serve(strict());
      const ttlMs = 2000;
      const short = await material(user, { kind: Identity_Kind.USER, name: 'alice' }, ttlMs);
      const expiresMs = Date.now() + ttlMs;
      const options = { ...to(short), minVersion: version, maxVersion: version };
      const first = await dial(port, options);
      const session = first.sessions[0];
      if (session) expect(await dial(port, { ...options, session })).toMatchObject({ reused: false });
      // The certificate's end is the machine's clock against ours: it has to pass.
      await new Promise((resolve) => setTimeout(resolve, Math.max(expiresMs - Date.now(), 0) + 50));
      await expect(dial(port, session ? { ...options, session } : options)).rejects.toThrow();
    },
  );

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'over %s, where a server with tickets takes it even after the certificate has expired: why they are off',
    async (version) => {
      const server = createServer({ ...serverTlsOptions(strict()), secureOptions: 0 }, (socket) => {
        socket.on('error', () => socket.destroy());
        socket.end('hello');
      });
      server.on('tlsClientError', (_error, socket) => socket.destroy());
      servers.push(server);
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      const short = await material(user, { kind: Identity_Kind.USER, name: 'alice' }, 2000);
      const expiresMs = Date.now() + 2000;
      const options = { ...to(short), secureOptions: 0, minVersion: version, maxVersion: version };
      const { sessions } = await dial(port, options);
      await new Promise((resolve) => setTimeout(resolve, Math.max(expiresMs - Date.now(), 0) + 50));
      expect(await dial(port, { ...options, ...(sessions[0] ? { session: sessions[0] } : {}) })).toMatchObject({ reused: true });
    },
  );
});

describe('a stalled handshake', () => {
  it('is given ten seconds', () => {
    expect(serverTlsOptions(strict()).handshakeTimeout).toBe(HANDSHAKE_TIMEOUT_MS);
    expect(HANDSHAKE_TIMEOUT_MS).toBe(10_000);
  });
});
