import { rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { PosternError } from '@postern/api/errors';
import { ensurePrivateDir } from '@postern/profile/private-files';
import type { ProfileStore } from '@postern/profile/profile-store';

/** What the background process says of itself. */
export interface UpStatus {
  readonly pid: number;
  readonly port: number;
  readonly startedAt: string;
  readonly sessions: number;
}
export type ControlVerb = 'status' | 'stop';

const ANSWER_MS = 3_000;
/** sockaddr_un holds 108 bytes on Linux, 104 elsewhere, the closing zero included. */
const MAX_PATH_BYTES = 103;

/** In ~/.tsh, which only its owner may enter: whoever can connect may ask, and no process id has to be guessed to stop one. */
export function controlPath(store: ProfileStore): string {
  const path = join(store.home, 'up.sock');
  if (Buffer.byteLength(path) > MAX_PATH_BYTES)
    throw new PosternError('bad_request', `${path} is too long a path for a socket: set TELEPORT_HOME to a shorter one`);
  return path;
}

/** Call it with the port bound: whoever holds that is the only one, so that a socket that lies here is what a dead process left. */
export async function listenForControl(store: ProfileStore, answer: (verb: ControlVerb) => UpStatus): Promise<Server> {
  const path = controlPath(store);
  ensurePrivateDir(store.home);
  rmSync(path, { force: true });
  const server = createServer((socket) => {
    socket.setEncoding('utf8').on('error', () => socket.destroy());
    socket.once('data', (text: string) => {
      const verb = text.trim();
      socket.end(verb === 'status' || verb === 'stop' ? `${JSON.stringify(answer(verb))}\n` : '');
    });
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  return server;
}

/** Undefined where nobody is up. */
export function askControl(store: ProfileStore, verb: ControlVerb): Promise<UpStatus | undefined> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(controlPath(store), () => socket.write(`${verb}\n`));
    socket.setEncoding('utf8').setTimeout(ANSWER_MS, () => socket.destroy());
    socket.on('data', (chunk: string) => (text += chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(statusOf(text)));
  });
}

function statusOf(text: string): UpStatus | undefined {
  try {
    return JSON.parse(text) as UpStatus;
  } catch {
    return undefined;
  }
}
