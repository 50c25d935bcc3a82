import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import { type SecureContext, TLSSocket } from 'node:tls';
import { limits } from '@postern/limits';

export interface EndTlsOptions {
  /** Of CONNECT: the client must name the same in its handshake. */
  readonly host: string;
  readonly context: SecureContext;
  /** Offered besides HTTP/1.1, and taken where the client has both. */
  readonly offersHttp2: boolean;
}

/**
 * Ends the client's TLS for the host of CONNECT and for no other: a client that says one host to its proxy and another within TLS would
 * have the one decided and the other signed. What is spoken within is `alpnProtocol` of the socket.
 */
export function endTls(socket: Socket, { host, context, offersHttp2 }: EndTlsOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const secure = new TLSSocket(socket, {
      isServer: true,
      secureContext: context,
      ALPNProtocols: offersHttp2 ? ['h2', 'http/1.1'] : ['http/1.1'],
      secureOptions: constants.SSL_OP_NO_TICKET,
      SNICallback: (name, done) => (name === host ? done(null, context) : done(mismatch(name, host))),
    });
    const settled = () => {
      clearTimeout(timer);
      secure.off('close', onClose).off('secure', onSecure);
    };
    const fail = (error: Error) => {
      settled();
      secure.destroy();
      socket.destroy();
      reject(error);
    };
    const onClose = () => fail(new Error(`the client went away in the middle of its TLS handshake for ${host}: does it trust the bundle?`));
    const onSecure = () => {
      // Without a name the callback is not asked.
      const name = nameOf(secure);
      if (name !== host) return fail(mismatch(name, host));
      settled();
      resolve(secure);
    };
    const timer = setTimeout(
      () => fail(new Error(`no TLS handshake for ${host} within ${limits.handshakeMs / 1000} s`)),
      limits.handshakeMs,
    );
    secure
      .on('error', (error) => fail(inWords(error, host)))
      .once('close', onClose)
      .once('secure', onSecure);
  });
}

/** TLS alerts of a client that does not know our authority; OpenSSL's own words for them are of its source files. */
const DISTRUST = /alert (?:unknown ca|bad certificate|certificate unknown)/;

function inWords(error: Error, host: string): Error {
  if (!DISTRUST.test(error.message)) return error;
  return new Error(`a program does not trust this proxy for ${host}: give it the bundle that tsh printed as AWS_CA_BUNDLE`, {
    cause: error,
  });
}

function nameOf(secure: TLSSocket): string {
  const { servername } = secure as TLSSocket & { readonly servername?: string | false };
  return typeof servername === 'string' ? servername : '';
}

function mismatch(name: string, host: string): Error {
  return new Error(`the TLS server name is ${name === '' ? 'missing' : `"${name.slice(0, 100)}"`}, CONNECT named ${host}`);
}
