import { Duplex } from 'node:stream';
import { connect, type ConnectionOptions } from 'node:tls';

/** The ClientHello that Node's own TLS (OpenSSL) sends. */
export function capturedHello(
  options: { readonly servername?: string; readonly alpn?: readonly string[]; readonly options?: ConnectionOptions } = {},
): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = new Duplex({
      read: () => undefined,
      write: (bytes: Buffer, _encoding, done) => {
        resolve(bytes);
        done();
      },
    });
    connect({
      ...options.options,
      socket: wire,
      rejectUnauthorized: false,
      ...(options.servername === undefined ? {} : { servername: options.servername }),
      ...(options.alpn ? { ALPNProtocols: [...options.alpn] } : {}),
    }).on('error', () => undefined);
  });
}
