import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { startAuth } from '#index.ts';
import { missingRedis, spawnRedis } from '#testing/redis.ts';
import {
  addToken,
  addUser,
  callUnary,
  joinAs,
  outcomeOf,
  signInAs,
  silent,
  startTestAuth,
  status,
  type TestAuth,
} from '#testing/test-auth.ts';

const running: TestAuth[] = [];
async function started(options?: Parameters<typeof startTestAuth>[0]): Promise<TestAuth> {
  const made = await startTestAuth(options);
  running.push(made);
  return made;
}
afterEach(async () => {
  for (const each of running.splice(0)) await each.stop().catch(() => undefined);
});

describe('starting auth', () => {
  it('makes the cluster once and keeps it over a restart', async () => {
    const first = await started();
    await addUser(first, { name: 'alice', roles: ['access'] });
    const again = await first.restart();
    running.push(again);
    expect(again.auth.caPins).toEqual(first.auth.caPins);
    expect(await outcomeOf(signInAs(again, 'alice'))).toBe('ok');
  });

  it('writes the seal key and the local administrator for the owner alone, and no authority key in clear', async () => {
    const { dataDir, auth } = await started();
    for (const file of [join(dataDir, 'keys', 'seal.key'), auth.localAdminFile]) expect(statSync(file).mode & 0o777).toBe(0o600);
    const state = ['auth.sqlite', 'auth.sqlite-wal'].map((name) => readFileSync(join(dataDir, name), 'latin1')).join('');
    expect(state).toContain('sealedKey');
    expect(state).not.toContain('PRIVATE KEY');
  });

  it('lets the local administrator ask for the status of the cluster', async () => {
    const test = await started();
    const answer = await callUnary(test.client(test.admin), status.definition.getStatus, {});
    expect(answer.cluster).toBe('test.example.com');
    expect(answer.caPins).toEqual(test.auth.caPins);
    expect(answer.authorities.map(({ type }) => type)).toEqual(['host', 'user']);
  });

  it('gives parts of the same process a token for one join', async () => {
    const test = await started();
    const token = await test.auth.createLocalToken('proxy');
    expect(await outcomeOf(joinAs(test, { token, role: 'proxy' }))).toBe('ok');
    expect(await outcomeOf(joinAs(test, { token, role: 'proxy' }))).toBe('denied');
  });

  it('refuses to begin a new cluster where the store has lost its data', async () => {
    const test = await started({ keepFiles: true });
    await test.stop();
    for (const suffix of ['', '-wal', '-shm']) rmSync(join(test.dataDir, `auth.sqlite${suffix}`), { force: true });
    await expect(startTestAuth({ dataDir: test.dataDir })).rejects.toThrow(/store is empty.*restore the store/);
    rmSync(test.dataDir, { recursive: true });
  });

  it('refuses a store of another cluster name, a lost seal key and a seal key that everybody may read', async () => {
    const test = await started({ keepFiles: true });
    await test.stop();
    const { dataDir } = test;
    await expect(startTestAuth({ dataDir, config: { clusterName: 'other.example.com' } })).rejects.toThrow(
      /belongs to cluster test\.example\.com/,
    );
    const file = join(dataDir, 'keys', 'seal.key');
    const key = readFileSync(file, 'utf8');
    chmodSync(file, 0o644);
    await expect(startTestAuth({ dataDir })).rejects.toThrow(/read by everybody/);
    rmSync(file);
    await expect(startTestAuth({ dataDir })).rejects.toThrow(/seal\.key is missing/);
    writeFileSync(file, `${'0'.repeat(64)}\n`, { mode: 0o600 });
    await expect(startTestAuth({ dataDir })).rejects.toThrow(/sealed with key/);
    writeFileSync(file, key, { mode: 0o600 });
    const again = await started({ dataDir });
    expect(again.auth.caPins).toEqual(test.auth.caPins);
  });

  it('refuses a second factor that does not exist, whatever the types say', async () => {
    const authentication = { type: 'local', secondFactor: 'otp' } as unknown as { type: 'local'; secondFactor: 'off' };
    const config = {
      dataDir: '/nonexistent',
      clusterName: 'x',
      listen: { host: '127.0.0.1', port: 0 },
      storage: { type: 'sqlite' as const },
      staticTokens: [],
      authentication,
    };
    await expect(startAuth({ config, logger: silent })).rejects.toThrow(/second_factor/);
  });

  it('refuses a second auth on the same SQLite file: several auths share a Redis', async () => {
    const test = await started();
    const storage = { type: 'sqlite' as const, path: join(test.dataDir, 'auth.sqlite') };
    await expect(startTestAuth({ dataDir: join(test.dataDir, 'second'), config: { storage } })).rejects.toThrow(/open in another process/);
  });
});

describe.skipIf(missingRedis())('two auths on one Redis', () => {
  it('make one cluster where both start on the empty store at once, and use a single-use token once between them', async () => {
    const redis = await spawnRedis();
    const dataDir = mkdtempSync(join(tmpdir(), 'postern-pair-'));
    const config = { storage: { type: 'redis' as const, url: redis.url }, sealKeyFile: join(dataDir, 'shared.key') };
    try {
      const [a, b] = await Promise.all([
        started({ dataDir: join(dataDir, 'a'), config }),
        started({ dataDir: join(dataDir, 'b'), config }),
      ]);
      expect(a.auth.caPins).toEqual(b.auth.caPins);
      expect(a.auth.caPins).toHaveLength(1);
      const token = await addToken(a, { roles: ['db'], maxUses: 1 });
      const tries = Array.from({ length: 20 }, (_, i) => outcomeOf(joinAs(i % 2 === 0 ? a : b, { token, role: 'db' })));
      const outcomes = await Promise.all(tries);
      expect(outcomes.filter((outcome) => outcome === 'ok')).toHaveLength(1);
      for (const each of running.splice(0)) await each.stop();
    } finally {
      await redis.discard();
      rmSync(dataDir, { recursive: true, force: true });
    }
  }, 30_000);
});
