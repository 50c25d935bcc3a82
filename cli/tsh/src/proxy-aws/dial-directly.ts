import { connect, type Socket } from 'node:net';
import { guardedLookup } from '@postern/http';
import type { ConnectTarget } from '#proxy-aws/connect-target.ts';

const CONNECT_MS = 10_000;

/** A connection of this machine to what is none of AWS's; a name that leads back to this machine or to its link is not followed. */
export function dialDirectly({ host, port }: ConnectTarget): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, lookup: guardedLookup(), allowHalfOpen: true, autoSelectFamily: true });
    const timer = setTimeout(() => socket.destroy(new Error('it does not answer')), CONNECT_MS);
    const onError = (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      reject(new Error(`cannot connect to ${host}:${port}: ${error.code === undefined ? error.message : error.code}`));
    };
    socket.once('error', onError);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', onError).setNoDelay(true);
      resolve(socket);
    });
  });
}
