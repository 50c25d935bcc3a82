import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface SpawnedRedis {
  readonly url: string;
  /** Kills it and deletes its data. */
  discard(): Promise<void>;
}

/** Tests that need redis-server say so and skip; where everything has to run they fail. */
export function missingRedis(): boolean {
  if (spawnSync('redis-server', ['--version']).status === 0) return false;
  const reason = 'redis-server is missing: install it with apt-get install redis-server';
  if (process.env['CI'] !== undefined || process.env['REQUIRE_ALL'] !== undefined) throw new Error(reason);
  process.stderr.write(`skipped: ${reason}\n`);
  return true;
}

export async function spawnRedis(): Promise<SpawnedRedis> {
  const port = await freePort();
  const dir = mkdtempSync(join(tmpdir(), 'postern-redis-'));
  const durable = ['--appendonly', 'yes', '--appendfsync', 'always', '--maxmemory-policy', 'noeviction'];
  const child = spawn('redis-server', ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', dir, '--save', '', ...durable], {
    stdio: 'ignore',
  });
  for (let tries = 0; tries < 200 && !(await answers(port)); tries++) await new Promise((resolve) => setTimeout(resolve, 25));
  return {
    url: `redis://127.0.0.1:${port}`,
    discard: async () => {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
