import { setTimeout as sleep } from 'node:timers/promises';
import { PosternError } from '@postern/api/errors';
import { ProfileStore } from '@postern/profile/profile-store';
import { askControl } from '#endpoint/control-socket.ts';

const STOP_MS = 10_000;
const LOOK_EVERY_MS = 50;

/** Stops what `tsh up` left behind; where nobody is up that is what was wanted. */
export async function down(): Promise<void> {
  const store = ProfileStore.fromEnvironment(process.env);
  const running = await askControl(store, 'stop');
  if (running === undefined) return void process.stdout.write('tsh up is not running.\n');
  for (let waitedMs = 0; waitedMs < STOP_MS; waitedMs += LOOK_EVERY_MS) {
    if ((await askControl(store, 'status')) === undefined) return void process.stdout.write(`Stopped serving port ${running.port}.\n`);
    await sleep(LOOK_EVERY_MS);
  }
  throw new PosternError('unavailable', `process ${running.pid} does not stop: end it with kill ${running.pid}`);
}
