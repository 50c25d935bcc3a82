import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { PosternError } from '@postern/api/errors';
import { type GlobalOptions, signedIn } from '@postern/profile/signed-in';
import { moveProfiles } from '#endpoint/aws-config-file.ts';
import { endpointUrl } from '#endpoint/aws-config-text.ts';
import { askControl, type UpStatus } from '#endpoint/control-socket.ts';
import { endpointPort, keepEndpointPort } from '#endpoint/endpoint-port.ts';
import { logFileOf, runEndpoint } from '#endpoint/run-endpoint.ts';

export interface UpOptions {
  readonly globals: GlobalOptions;
  readonly port?: number;
  /** The process itself serves, for service managers. */
  readonly foreground?: boolean;
}

const START_MS = 15_000;
const LOOK_EVERY_MS = 50;

/** Leaves a process behind that serves the endpoint of every application and role, or says that one is there. */
export async function up({ globals, port: asked, foreground }: UpOptions): Promise<void> {
  const { store } = signedIn(globals, process.env, Date.now());
  const running = await askControl(store, 'status');
  const port = asked ?? endpointPort(store);
  if (running !== undefined) {
    if (asked !== undefined && asked !== running.port)
      throw new PosternError('already_exists', `tsh up serves port ${running.port}: run tsh down first`);
    return void process.stdout.write(`Already up on ${endpointUrl(running.port)} since ${running.startedAt} (process ${running.pid}).\n`);
  }
  if (foreground === true) return runEndpoint({ globals, port });
  const started = await start(port, () => askControl(store, 'status'));
  if (asked !== undefined && asked !== endpointPort(store)) {
    keepEndpointPort(store, asked);
    moveProfiles(process.env, store, asked);
  }
  process.stdout.write(
    `Serving every application and role on ${endpointUrl(started.port)} in the background (process ${started.pid}, log ${logFileOf(store)}).\n` +
      'tsh aws configure writes a profile for it, tsh down stops it.\n',
  );
}

/** What the child says of its failure before it serves is said by us. */
async function start(port: number, status: () => Promise<UpStatus | undefined>): Promise<UpStatus> {
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1), '--foreground', `--port=${port}`], {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  let code: number | null | undefined;
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (said += chunk));
  child.once('close', (exitCode) => (code = exitCode)).once('error', () => (code = 1));
  for (let waitedMs = 0; waitedMs < START_MS; waitedMs += LOOK_EVERY_MS) {
    const found = await status();
    if (found !== undefined) {
      child.stderr.destroy();
      child.unref();
      return found;
    }
    if (code !== undefined) break;
    await sleep(LOOK_EVERY_MS);
  }
  if (code === undefined) child.kill();
  const words = said.replace(/^ERROR: /, '').trim();
  throw new PosternError('bad_request', words === '' ? `the background process has not begun to serve port ${port}` : words);
}
