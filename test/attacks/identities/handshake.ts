import { connect as connectTls, type SecureVersion } from 'node:tls';
import type { Held } from '@postern/test-harness/dial.ts';

interface Shaken {
  readonly isOpen: boolean;
  readonly wasReused: boolean;
  readonly session: Buffer | undefined;
}

interface Handshake {
  readonly port: number;
  readonly hostCaPems: readonly string[];
  readonly version: SecureVersion;
  readonly serverName: string;
  readonly held: Held;
  /** An attempt to resume it. */
  readonly session?: Buffer | undefined;
}

/** A handshake, and whether the connection is there a moment after it. */
export function handshake(given: Handshake): Promise<Shaken> {
  return new Promise((resolve) => {
    let kept: Buffer | undefined;
    const socket = connectTls({
      host: '127.0.0.1',
      port: given.port,
      servername: given.serverName,
      ca: [...given.hostCaPems],
      key: given.held.privateKeyPem,
      cert: given.held.certificatePem,
      ALPNProtocols: ['h2'],
      minVersion: given.version,
      maxVersion: given.version,
      checkServerIdentity: () => undefined,
      ...(given.session === undefined ? {} : { session: given.session }),
    });
    const done = (isOpen: boolean) => {
      clearTimeout(timer);
      resolve({ isOpen, wasReused: socket.isSessionReused(), session: kept ?? socket.getSession() });
      socket.destroy();
    };
    let timer = setTimeout(() => done(false), 5_000);
    socket.on('session', (ticket: Buffer) => (kept = ticket));
    socket.on('secureConnect', () => {
      clearTimeout(timer);
      timer = setTimeout(() => done(true), 300);
    });
    socket.on('error', () => done(false)).on('close', () => done(false));
  });
}
