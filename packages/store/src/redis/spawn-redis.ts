import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';

/** A real redis-server of a test's own, on a free port of the loopback address, in a folder of its own. */
export interface SpawnedRedis {
  readonly url: string;
  readonly port: number;
  readonly dir: string;
  readonly admin: Redis;
  readonly process: ChildProcess;
  /** Ends it at once, as `kill -9` does; the data stays. */
  kill(): Promise<void>;
  /** Kills it and deletes its data. */
  discard(): Promise<void>;
}

const safe = ['--appendonly', 'yes', '--appendfsync', 'always', '--maxmemory-policy', 'noeviction'];

/** Why Redis tests cannot run here; where they have to, the first one fails instead. */
export function missingRedis(): string | undefined {
  if (spawnSync('redis-server', ['--version']).status === 0) return undefined;
  const reason = 'redis-server is missing: install it with apt-get install redis-server';
  if (process.env['CI'] !== undefined || process.env['REQUIRE_ALL'] !== undefined) throw new Error(reason);
  return reason;
}

export async function spawnRedis(
  given: { readonly port?: number; readonly dir?: string; readonly settings?: readonly string[] } = {},
): Promise<SpawnedRedis> {
  const port = given.port ?? (await freePort());
  const dir = given.dir ?? mkdtempSync(join(tmpdir(), 'postern-redis-'));
  const settings = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', dir, '--save', '', ...safe, ...(given.settings ?? [])];
  const child = spawn('redis-server', settings, { stdio: 'ignore' });
  // A test that fails before its end leaves no server behind.
  const end = (): boolean => child.kill('SIGKILL');
  process.once('exit', end);
  child.once('exit', () => process.off('exit', end));
  const admin = new Redis({ port, host: '127.0.0.1', protocol: 2, retryStrategy: () => 20, maxRetriesPerRequest: null });
  admin.on('error', () => undefined);
  await admin.ping();
  const kill = async (): Promise<void> => {
    admin.disconnect();
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  };
  const discard = async (): Promise<void> => {
    await kill();
    rmSync(dir, { recursive: true, force: true });
  };
  return { url: `redis://127.0.0.1:${port}`, port, dir, admin, process: child, kill, discard };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}
