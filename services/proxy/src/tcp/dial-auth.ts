import { connect, type Socket } from 'node:net';
import type { AuthPulse } from '#tcp/auth-pulse.ts';

export interface DialAuthOptions {
  /** From the configuration; never from what a client sends. */
  readonly authAddress: { readonly host: string; readonly port: number };
  readonly connectAuthMs: number;
  readonly pulse: AuthPulse;
}

/** A connection to auth on which nothing has been said. It ends with AuthIsSilent where auth says nothing then. */
export function dialAuth({ authAddress, connectAuthMs, pulse }: DialAuthOptions): Promise<Socket> {
  const { host, port } = authAddress;
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true, allowHalfOpen: true, timeout: connectAuthMs });
    pulse.expect(socket);
    const fail = (error: Error) => {
      socket.destroy();
      reject(error);
    };
    const late = () => fail(new Error('auth did not answer in time'));
    socket.once('timeout', late).once('error', fail);
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.off('timeout', late).off('error', fail);
      resolve(socket);
    });
  });
}
