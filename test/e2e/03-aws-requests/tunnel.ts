import { connect } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';

export interface TunnelWish {
  /** http://127.0.0.1:PORT, as HTTPS_PROXY says. */
  readonly proxy: string;
  readonly host: string;
  /** Of the bundle that the proxy names. */
  readonly ca: Buffer;
}

/** What a program does that honours HTTPS_PROXY and a bundle: CONNECT, then TLS with HTTP/2 and nothing else. */
export function tunnel({ proxy, host, ca }: TunnelWish): Promise<TLSSocket> {
  const { hostname, port } = new URL(proxy);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(`CONNECT ${host}:443 HTTP/1.1\r\nHost: ${host}:443\r\n\r\n`));
    socket.once('error', reject);
    socket.once('data', (said) => {
      if (!said.toString('latin1').startsWith('HTTP/1.1 200 ')) return reject(new Error(said.toString('latin1').split('\r\n', 1)[0]));
      const secure = connectTls({ socket, servername: host, ca, ALPNProtocols: ['h2'] }, () => resolve(secure));
      secure.once('error', reject);
    });
  });
}
