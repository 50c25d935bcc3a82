import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { ByteStream } from '@postern/tunnel';
import type { Profile } from '@postern/profile/profile';
import { ProfileStore } from '@postern/profile/profile-store';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type LocalKey, newLocalKey, saveKey } from '#apps/local-key.ts';
import type { ConnectHeaders } from '#sessions/agent-channel.ts';
import { SessionPool } from '#endpoint/session-pool.ts';

const HOUR_MS = 3_600_000;
let home: string;
let store: ProfileStore;
let nowMs: number;
let pool: SessionPool;
let said: ConnectHeaders[];
let closed: string[];
let notices: string[];

const profile = (proxy: string): Profile => ({
  proxy,
  user: 'alice',
  cluster: 'example.internal',
  roles: [],
  traits: {},
  hostCaPems: [],
  verified: true,
  validUntilMs: nowMs + HOUR_MS,
  sinceMs: 1,
});
const credentials = {
  privateKeyPem: '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n',
  certificatePem: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
};

function logIn(to: Profile, roleArn: string): LocalKey {
  const grant = {
    kind: 'app' as const,
    name: 'aws',
    principal: roleArn,
    protocol: '',
    ticket: 't',
    agentIds: [],
    hostCaPems: [],
    validUntilMs: nowMs + HOUR_MS,
    ...credentials,
  };
  const key = { ...newLocalKey(), app: 'aws', roleArn, grant };
  saveKey({ profile: to, credentials, store }, key);
  return key;
}

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'tsh-pool-'));
  store = new ProfileStore(join(home, '.tsh'));
  nowMs = Date.now();
  [said, closed, notices] = [[], [], []];
  pool = new SessionPool({
    store,
    globals: {},
    notice: (line) => void notices.push(line),
    nowMs: () => nowMs,
    open: (_who, key) => ({
      openStream: (headers) => {
        said.push(headers);
        return Promise.resolve(new PassThrough() as unknown as ByteStream);
      },
      close: () => void closed.push(key.accessKeyId),
    }),
  });
});
afterEach(() => {
  pool.close();
  rmSync(home, { recursive: true, force: true });
});

describe('the sessions behind the endpoint', () => {
  it('are one for each key, of every role and every cluster that the person is signed in to, opened with the first request', async () => {
    const [here, there] = [profile('a.example:443'), profile('b.example:443')];
    for (const one of [here, there]) store.save(one, credentials);
    const keys = [logIn(here, 'arn:aws:iam::1:role/A'), logIn(here, 'arn:aws:iam::1:role/B'), logIn(there, 'arn:aws:iam::2:role/A')];
    expect(pool.size).toBe(0);
    for (const { accessKeyId } of [...keys, ...keys]) await pool.openStream(accessKeyId, 23_480);
    expect(pool.size).toBe(3);
    expect(said[0]).toEqual({
      'postern-local-port': '23480',
      'postern-local-key': `${keys[0]?.accessKeyId}:${keys[0]?.secretAccessKey}`,
    });
  });

  it('end with a logout: at once for a new request, within a look for what is open', async () => {
    const here = profile('a.example:443');
    store.save(here, credentials);
    const { accessKeyId } = logIn(here, 'arn:aws:iam::1:role/A');
    await pool.openStream(accessKeyId, 1);
    store.kept(here, 'key').remove(accessKeyId);
    await expect(pool.openStream(accessKeyId, 1)).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(closed).toEqual([accessKeyId]);
    const again = logIn(here, 'arn:aws:iam::1:role/A');
    await pool.openStream(again.accessKeyId, 1);
    store.kept(here, 'key').remove(again.accessKeyId);
    pool.look();
    expect(closed).toEqual([accessKeyId, again.accessKeyId]);
  });

  it('end with the logout of the whole sign-in, and say so', async () => {
    const here = profile('a.example:443');
    store.save(here, credentials);
    const { accessKeyId } = logIn(here, 'arn:aws:iam::1:role/A');
    await pool.openStream(accessKeyId, 1);
    store.remove(here);
    pool.look();
    expect(closed).toEqual([accessKeyId]);
    expect(notices).toEqual([
      expect.stringMatching(/^logged out of application "aws": run tsh login --proxy=a.example:443 --user=alice, then/),
    ]);
  });

  it('end with the login, and say what to run', async () => {
    const here = profile('a.example:443');
    store.save(here, credentials);
    const { accessKeyId } = logIn(here, 'arn:aws:iam::1:role/A');
    await pool.openStream(accessKeyId, 1);
    nowMs += HOUR_MS;
    await expect(pool.openStream(accessKeyId, 1)).rejects.toThrow(/has expired: run tsh login --proxy=a.example:443 --user=alice/);
    expect(closed).toEqual([accessKeyId]);
  });

  it('are closed when nobody has used them for ten minutes, and not while somebody does', async () => {
    const here = profile('a.example:443');
    store.save(here, credentials);
    const { accessKeyId } = logIn(here, 'arn:aws:iam::1:role/A');
    const stream = await pool.openStream(accessKeyId, 1);
    nowMs += 30 * 60_000;
    pool.look();
    expect(closed).toEqual([]);
    stream.destroy();
    await new Promise((resolve) => stream.once('close', resolve));
    pool.look();
    expect(closed).toEqual([]);
    nowMs += 10 * 60_000;
    pool.look();
    expect(closed).toEqual([accessKeyId]);
  });

  it('are none for a key that nobody has, or for a cluster that was never verified', async () => {
    await expect(pool.openStream('AKIAZZZZZZZZZZZZZZZZ', 1)).rejects.toThrow(/not logged in: run tsh login/);
    const doubtful = { ...profile('a.example:443'), verified: false };
    store.save(doubtful, credentials);
    await expect(pool.openStream('AKIAZZZZZZZZZZZZZZZZ', 1)).rejects.toThrow(/no login of yours has the access key/);
    const { accessKeyId } = logIn(doubtful, 'arn:aws:iam::1:role/A');
    await expect(pool.openStream(accessKeyId, 1)).rejects.toThrow(/never verified/);
  });
});
