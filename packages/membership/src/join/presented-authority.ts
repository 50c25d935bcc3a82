import { X509Certificate } from 'node:crypto';
import { connect, type DetailedPeerCertificate } from 'node:tls';
import { PosternError } from '@postern/api/errors';
import { AUTH_SERVER_NAME } from '#channel/open-auth-channel.ts';
import { readHostPort } from '#find/host-port.ts';

const DEADLINE_MS = 10_000;
const MAX_CHAIN = 4;
const DEFAULT_AUTH_PORT = 3025;

/**
 * The certificates that an auth server presents, PEM, its own first; nothing of them is verified yet. An auth server sends its
 * Host CA after its own certificate, so that a host that has nothing but a pin can find it there.
 */
export function presentedChain(authServer: string): Promise<string[]> {
  const at = readHostPort(authServer, DEFAULT_AUTH_PORT);
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: at.host,
      port: at.port,
      servername: AUTH_SERVER_NAME,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['h2'],
    });
    const timer = setTimeout(() => fail(`no answer within ${DEADLINE_MS / 1000} s`), DEADLINE_MS);
    const fail = (why: string, cause?: unknown) => {
      clearTimeout(timer);
      socket.destroy();
      reject(new PosternError('cannot_connect', `cannot connect to ${at.text}: ${why}`, { cause }));
    };
    socket.once('error', (error) => fail('code' in error ? String(error.code) : error.message, error));
    socket.once('secureConnect', () => {
      clearTimeout(timer);
      resolve(chainOf(socket.getPeerCertificate(true)));
      socket.destroy();
    });
  });
}

function chainOf(leaf: DetailedPeerCertificate): string[] {
  const pems: string[] = [];
  let next: DetailedPeerCertificate | undefined = leaf;
  // A self-signed certificate names itself as its issuer.
  while (next?.raw && pems.length < MAX_CHAIN) {
    pems.push(new X509Certificate(next.raw).toString());
    next = next.issuerCertificate === next ? undefined : next.issuerCertificate;
  }
  return pems;
}
