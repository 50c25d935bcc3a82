import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PASSWORD } from '@postern/test-harness/cluster.ts';
import { getItem } from '@postern/test-harness/load.ts';
import { type Daemon, freePort, isListening, until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { checkAudit } from '@postern/test-harness/check-audit.ts';
import { Stage } from '@postern/test-harness/stage.ts';

const cannot = lacking('openssl', 'redis');

describe.skipIf(cannot !== undefined)('Redis as the store', () => {
  const stage = new Stage();
  const { cluster } = stage;
  let port = 0;
  let redis: Daemon;
  let local = 0;

  const startRedis = async (fsync: string): Promise<Daemon> => {
    const dir = join(cluster.dir, 'redis');
    mkdirSync(dir, { recursive: true });
    const flags = [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--dir',
      dir,
      '--save',
      '',
      '--appendonly',
      'yes',
      '--appendfsync',
      fsync,
    ];
    const daemon = cluster.daemon('redis', ['redis-server', ...flags, '--maxmemory-policy', 'noeviction']);
    await until('redis', 10_000, async () => ((await isListening(port)) ? true : undefined));
    return daemon;
  };

  beforeAll(async () => {
    port = await freePort();
    redis = await startRedis('everysec');
  });
  afterAll(() => cluster.stop());

  it('auth does not start on a Redis that could lose an acknowledged write, and says what to run', async () => {
    await expect(stage.open({ storage: ['type: redis', `url: redis://127.0.0.1:${port}`] })).rejects.toThrow(
      /has appendfsync everysec and so answers before a write is on disk: run redis-cli config set appendfsync always/,
    );
    expect(await cluster.authHost?.exited).toBe(1);
    await redis.stop('SIGKILL');
    redis = await startRedis('always');
  });

  it('the guide’s request works', async () => {
    cluster.startAuthHost();
    await cluster.proxyIsReady();
    await stage.furnish();
    await stage.attached(stage.agent('one'));
    local = (await stage.tunnel()).port;
    const headers = "-H 'Content-Type: application/x-amz-json-1.0' -H 'X-Amz-Target: DynamoDB_20120810.ListTables'";
    const listed = await cluster.mustSh(`curl -s ${headers} -d '{}' http://localhost:${local}`);
    expect(JSON.parse(listed)).toMatchObject({ TableNames: ['faults'] });
  });

  it('Redis killed in the middle of writes: requests go on, and nothing that was acknowledged is lost', async () => {
    const acknowledged: string[] = [];
    const killed = new AbortController();
    const writing = (async () => {
      for (let n = 0; !killed.signal.aborted; n += 1) {
        const made = await cluster.sh(`tctl -c ${cluster.authConfig} users add user-${n} --roles=dynamo --password-stdin`, {
          person: 'nobody',
          input: `${PASSWORD}\n`,
        });
        if (made.code === 0) acknowledged.push(`user-${n}`);
      }
    })();
    await until('some users', 30_000, () => (acknowledged.length >= 3 ? true : undefined));
    await redis.stop('SIGKILL');
    killed.abort();
    expect((await getItem(local)).status).toBe(200);
    await writing;
    await startRedis('always');
    const users = await until('auth to have its store again', 20_000, async () => {
      const asked = await cluster.sh(`tctl -c ${cluster.authConfig} get users --format=json`, { person: 'nobody' });
      return asked.code === 0 ? (JSON.parse(asked.stdout) as { metadata: { name: string } }[]) : undefined;
    });
    expect(users.map(({ metadata }) => metadata.name)).toEqual(expect.arrayContaining(['alice', ...acknowledged]));
    await cluster.signIn('alice');
    expect((await getItem(local)).status).toBe(200);
    expect((await checkAudit(cluster)).unknown).toBe(0);
  });
});
