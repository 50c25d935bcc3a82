import { join } from 'node:path';
import { PosternError } from '@postern/api/errors';
import { ProfileStore } from '@postern/profile/profile-store';
import type { GlobalOptions } from '@postern/profile/signed-in';
import { messageOf } from '@postern/terminal/run-program';
import { endpointUrl } from '#endpoint/aws-config-text.ts';
import { listenForControl, type UpStatus } from '#endpoint/control-socket.ts';
import { BoundedLog } from '#endpoint/bounded-log.ts';
import { serveEndpointConnection } from '#endpoint/serve-endpoint-connection.ts';
import { SessionPool } from '#endpoint/session-pool.ts';
import { listenLocally, localAddress } from '#local-port/listen-locally.ts';
import { refusalText } from '#proxy-aws/refusal-text.ts';
import { limitedNotices } from '#sessions/limited-notices.ts';

export const logFileOf = (store: ProfileStore) => join(store.home, 'up.log');

const LOOK_EVERY_MS = 1_000;

/** Serves the endpoint until it is told to stop, or nobody is logged in any more; the process that `tsh up` leaves behind. */
export async function runEndpoint({ globals, port }: { readonly globals: GlobalOptions; readonly port: number }): Promise<void> {
  const store = ProfileStore.fromEnvironment(process.env);
  const log = new BoundedLog(logFileOf(store));
  const notice = limitedNotices((line) => log.write(line));
  const pool = new SessionPool({ store, globals, notice });
  const stopped = Promise.withResolvers<void>();
  const listener = await listenLocally(localAddress({ port, anywhere: false }), (socket, localPort) => {
    void serveEndpointConnection(socket, {
      port: localPort,
      openStream: (accessKeyId, more) => pool.openStream(accessKeyId, localPort, more),
      refusal: refusalText('tsh up'),
      notice,
    });
  });
  const startedAt = new Date().toISOString();
  const status = (): UpStatus => ({ pid: process.pid, port: listener.port, startedAt, sessions: pool.size });
  const control = await listenForControl(store, (verb) => {
    if (verb === 'stop') stopped.resolve();
    return status();
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stopped.resolve());
  const watch = setInterval(() => {
    if (nobodyIn(store)) stopped.reject(new PosternError('unauthenticated', 'everybody was logged out: run tsh login, then tsh up'));
  }, LOOK_EVERY_MS);
  log.write(`listening on 127.0.0.1:${listener.port}`);
  // Of the process in the background nobody sees it.
  process.stdout.write(`Serving every application and role on ${endpointUrl(listener.port)} (log ${logFileOf(store)}).\n`);
  try {
    await stopped.promise;
    log.write('stopping');
  } catch (error) {
    log.write(messageOf(error));
    throw error;
  } finally {
    clearInterval(watch);
    listener.close();
    pool.close();
    control.close();
  }
}

/** A file that cannot be read now is somebody. */
function nobodyIn(store: ProfileStore): boolean {
  try {
    return store.list().length === 0;
  } catch {
    return false;
  }
}
