import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';
import { guardedLookup, mayBeDialled } from '#upstream/dial-address.ts';
import type { OriginOptions } from '#upstream/origin-options.ts';

/** A resumed session skips the certificate check: after so long the certificate is looked at again. */
const FULL_HANDSHAKE_MS = 600_000;
const TCP_KEEP_ALIVE_MS = 60_000;

/** Opens connections to one origin: the name in the handshake and in the certificate is the one that was chosen here. */
export class Dialler {
  readonly #options: OriginOptions;
  readonly #protocol: string;
  readonly #context: SecureContext | undefined;
  readonly #nowMs: () => number;
  #session: Buffer | undefined;
  #fullHandshakeMs = 0;

  constructor(options: OriginOptions & { readonly protocol?: 'h2' }, nowMs: () => number = () => performance.now()) {
    this.#options = options;
    this.#protocol = options.protocol ?? 'http/1.1';
    this.#nowMs = nowMs;
    // One for all connections: reading the certificates into it costs more than a handshake.
    this.#context = options.isTls
      ? createSecureContext({ minVersion: 'TLSv1.2', ...(options.ca === undefined ? {} : { ca: options.ca }) })
      : undefined;
  }

  /** `onReady` is called when bytes may be written; failures are the socket's events. */
  dial(onReady: () => void): Socket {
    const { host, port, isGuarded, resolve } = this.#options;
    if (isGuarded && isIP(host) !== 0 && !mayBeDialled(host)) throw new Error(`${host} may not be dialled`);
    const target = {
      host,
      port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
      ...(isGuarded ? { lookup: guardedLookup(resolve) } : {}),
    };
    return this.#context === undefined ? connectTcp(target, onReady) : this.#dialTls(target, this.#context, onReady);
  }

  #dialTls(target: { readonly host: string; readonly port: number }, secureContext: SecureContext, onReady: () => void): TLSSocket {
    const { host } = target;
    const session = this.#sessionToOffer();
    const socket = connectTls(
      {
        ...target,
        secureContext,
        // An address has no place in the handshake (RFC 6066 3); the certificate is held against it all the same.
        ...(isIP(host) === 0 ? { servername: host } : {}),
        checkServerIdentity: (_name, certificate) => checkServerIdentity(host, certificate),
        rejectUnauthorized: true,
        ALPNProtocols: [this.#protocol],
        ...(session === undefined ? {} : { session }),
      },
      () => {
        if (!socket.isSessionReused()) this.#fullHandshakeMs = this.#nowMs();
        isVerified = true;
        if (early !== undefined) this.#session = early;
        onReady();
      },
    );
    let isVerified = false;
    let early: Buffer | undefined;
    socket.on('session', (next: Buffer) => {
      // Only of a server whose certificate was good.
      if (isVerified) this.#session = next;
      else early = next;
    });
    return socket;
  }

  #sessionToOffer(): Buffer | undefined {
    if (this.#nowMs() - this.#fullHandshakeMs > FULL_HANDSHAKE_MS) this.#session = undefined;
    return this.#session;
  }
}

/** In words, with the system's own code. */
export function describeError(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  // A name with several addresses fails with all of their errors and no words of its own.
  if (error instanceof AggregateError && !message) return error.errors.map(describeError).join(', ');
  return code === undefined || message.includes(code) ? message : `${message} (${code})`;
}
