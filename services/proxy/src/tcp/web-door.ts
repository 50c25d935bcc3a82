import { X509Certificate } from 'node:crypto';
import { createSecureContext, createServer, type SecureContext } from 'node:tls';
import type { ProxyLimits } from '#config.ts';
import type { WebServer } from '#http/web-server.ts';
import type { Arrival } from '#tcp/public-listener.ts';
import type { WebKeyPair } from '#web-certificate/self-signed.ts';

export interface WebDoorOptions {
  readonly pairs: readonly WebKeyPair[];
  readonly web: WebServer;
  readonly limits: ProxyLimits;
}

/** Ends TLS of browsers, of `tsh login` and of install scripts, with the web certificate. No client certificate is asked for or believed here. */
export function webDoor(options: WebDoorOptions): (arrival: Arrival) => void {
  const known = options.pairs.map(({ certPem, keyPem }) => ({
    certificate: new X509Certificate(certPem),
    context: createSecureContext({ cert: certPem, key: keyPem, minVersion: 'TLSv1.2' }),
  }));
  const [first] = options.pairs;
  if (!first) throw new Error('the web server has no certificate');
  const contextFor = (name: string): SecureContext | undefined => known.find(({ certificate }) => certificate.checkHost(name))?.context;
  const server = createServer({
    cert: first.certPem,
    key: first.keyPem,
    minVersion: 'TLSv1.2',
    honorCipherOrder: true,
    handshakeTimeout: options.limits.handshakeMs,
    ALPNProtocols: ['http/1.1'],
    SNICallback: (name, done) => done(null, contextFor(name)),
  });
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  server.on('secureConnection', (socket) => {
    socket.on('error', () => socket.destroy());
    options.web.accept(socket);
  });
  return ({ socket, head }) => {
    socket.unshift(head);
    server.emit('connection', socket);
  };
}
