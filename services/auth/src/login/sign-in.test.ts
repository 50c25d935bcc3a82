import { afterEach, describe, expect, it } from 'vitest';
import { Identity_Kind } from '@postern/api';
import { certificateDerOf, generateKey, readCertificate } from '@postern/pki';
import {
  addUser,
  auditRecords,
  callUnary,
  login,
  outcomeOf,
  PASSWORD,
  resources,
  signInAs,
  startTestAuth,
  status,
  type TestAuth,
  users,
} from '#testing/test-auth.ts';

let test: TestAuth;
afterEach(() => test.stop());

const HOUR = 3_600_000;
const attempt = (user: string, password: string) =>
  callUnary(test.client(), login.definition.signIn, {
    user,
    password,
    publicKey: generateKey().publicKeyDer,
    ttlSeconds: 0,
    clientVersion: '',
  });
async function answerTo(user: string, password: string): Promise<string> {
  return attempt(user, password).then(
    () => 'ok',
    (error: unknown) => `${(error as { code: string }).code}: ${(error as Error).message}`,
  );
}
async function putRole(name: string, options: object): Promise<void> {
  const role = { kind: 'role', version: 'v7', metadata: { name }, spec: { options, allow: {} } };
  await callUnary(test.client(test.admin), resources.definition.putResource, { kind: 'role', json: Buffer.from(JSON.stringify(role)) });
}

describe('signing in', () => {
  it('answers a certificate that holds what the store says of the user, for twelve hours', async () => {
    test = await startTestAuth();
    await addUser(test, { name: 'alice', roles: ['access'], traits: { db_users: ['Reader'] } });
    const { certificatePem } = await signInAs(test, 'alice');
    const facts = readCertificate(certificateDerOf(certificatePem));
    expect(facts.identity).toMatchObject({
      kind: Identity_Kind.USER,
      name: 'alice',
      roles: ['access'],
      traits: { db_users: { values: ['Reader'] } },
    });
    expect(facts.notAfterMs).toBe(test.clock.now + 12 * HOUR);
    expect((await auditRecords(test, 'user.login')).map(({ code, user }) => [code, user])).toEqual([['T1000I', 'alice']]);
  });

  it('never lives longer than the shortest of the roles, whatever is asked', async () => {
    test = await startTestAuth();
    await putRole('short', { max_session_ttl: '1h' });
    await addUser(test, { name: 'alice', roles: ['access', 'short'] });
    for (const ttlSeconds of [0, 10 * 365 * 86_400, 2 ** 31 - 1, -1]) {
      const { certificatePem } = await signInAs(test, 'alice', { ttlSeconds });
      expect(readCertificate(certificateDerOf(certificatePem)).notAfterMs).toBe(test.clock.now + HOUR);
    }
    test.clock.now += HOUR / 2;
    const { certificatePem } = await signInAs(test, 'alice', { ttlSeconds: 600 });
    expect(readCertificate(certificateDerOf(certificatePem)).notAfterMs).toBe(test.clock.now + 600_000);
  });

  it('LG-01 is locked after five of fifty parallel wrong passwords, for the right one too, and opens after half an hour', async () => {
    test = await startTestAuth();
    await addUser(test, { name: 'alice', roles: ['access'] });
    await Promise.all(Array.from({ length: 50 }, () => answerTo('alice', 'wrong password 123')));
    const failures = (await auditRecords(test, 'user.login')).filter(({ error }) => error === 'wrong password');
    expect(failures).toHaveLength(5);
    test.clock.now += 61_000;
    expect(await answerTo('alice', PASSWORD)).toMatch(/^unauthenticated: sign-in refused/);
    test.clock.now += 30 * 60_000;
    expect(await answerTo('alice', PASSWORD)).toBe('ok');
  });

  it('LG-02 counts every spelling of a name as one account', async () => {
    test = await startTestAuth();
    await addUser(test, { name: 'alice', roles: ['access'] });
    for (const spelling of ['Alice', 'alice ', 'ALICE', 'ａｌｉｃｅ', 'aLiCe'])
      expect(await answerTo(spelling, 'wrong password 123')).toMatch(/unauthenticated/);
    test.clock.now += 61_000;
    expect(await answerTo('alice', PASSWORD)).toMatch(/unauthenticated/);
    const admin = test.client(test.admin);
    expect(
      await outcomeOf(callUnary(admin, users.definition.createUser, { name: 'Bob', roles: ['access'], traits: {}, password: PASSWORD })),
    ).toBe('bad_request');
  });

  it('LG-03 gives one answer for an unknown user, a locked one, one without a password and a wrong password', async () => {
    test = await startTestAuth();
    await addUser(test, { name: 'alice', roles: ['access'] });
    await addUser(test, { name: 'locked', roles: ['access'] });
    await addUser(test, { name: 'nopass', roles: ['access'], password: '' });
    const lock = { kind: 'lock', version: 'v2', metadata: { name: 'l1' }, spec: { target: { user: 'locked' } } };
    await callUnary(test.client(test.admin), resources.definition.createResource, {
      kind: 'lock',
      json: Buffer.from(JSON.stringify(lock)),
    });
    const answers = new Set<string>();
    for (const [user, password] of [
      ['alice', 'wrong password 123'],
      ['nobody', PASSWORD],
      ['locked', PASSWORD],
      ['nopass', PASSWORD],
      ['a/b', PASSWORD],
      ['', PASSWORD],
    ] as const) {
      answers.add(await answerTo(user, password));
    }
    expect([...answers]).toHaveLength(1);
    const causes = (await auditRecords(test, 'user.login')).map(({ error }) => error);
    expect(causes).toEqual([
      'wrong password',
      'no such user',
      'a lock is in force',
      'the user has no password',
      'no such user',
      'no such user',
    ]);
  });

  it('LG-03 takes the same time for a user that does not exist as for a wrong password', async () => {
    test = await startTestAuth();
    await addUser(test, { name: 'alice', roles: ['access'] });
    const known: number[] = [];
    const unknown: number[] = [];
    for (let i = 0; i < 40; i++) {
      test.clock.now += 31 * 60_000;
      const isKnown = i % 2 === 0;
      const began = performance.now();
      await answerTo(isKnown ? 'alice' : `nobody${i % 3}`, 'wrong password 123');
      (isKnown ? known : unknown).push(performance.now() - began);
    }
    const median = (of: number[]) => [...of].sort((a, b) => a - b)[of.length >> 1] ?? 0;
    // The hash takes tens of milliseconds: an answer without it would be far below half of one with it.
    expect(median(unknown)).toBeGreaterThan(median(known) * 0.6);
    expect(median(unknown)).toBeLessThan(median(known) * 1.7);
  }, 30_000);

  it('limits an address to twenty attempts a minute, whoever is tried', async () => {
    test = await startTestAuth();
    const outcomes: string[] = [];
    for (let i = 0; i < 25; i++) outcomes.push((await answerTo(`user${i}`, 'wrong password 123')).split(':')[0] ?? '');
    expect(outcomes.filter((outcome) => outcome === 'limit_exceeded')).toHaveLength(5);
  }, 30_000);

  it('LG-06 ends what an old password signed in when an administrator sets another, and lifts the lock-out', async () => {
    test = await startTestAuth();
    await addUser(test, { name: 'alice', roles: ['access'] });
    const old = await signInAs(test, 'alice');
    const askStatus = () => outcomeOf(callUnary(test.client(old), status.definition.getStatus, {}));
    expect(await askStatus()).toBe('ok');
    for (let i = 0; i < 5; i++) await answerTo('alice', 'wrong password 123');
    await callUnary(test.client(test.admin), users.definition.resetPassword, { name: 'alice', password: 'another good password' });
    expect(await askStatus()).toBe('unauthenticated');
    test.clock.now += 61_000;
    expect(await answerTo('alice', PASSWORD)).toMatch(/unauthenticated/);
    expect(await answerTo('alice', 'another good password')).toBe('ok');
  });

  it('does not let a certificate of a deleted user act for the new user of that name', async () => {
    test = await startTestAuth();
    await addUser(test, { name: 'alice', roles: ['editor'] });
    const old = await signInAs(test, 'alice');
    await callUnary(test.client(test.admin), resources.definition.deleteResource, { kind: 'user', name: 'alice', withSecrets: false });
    await addUser(test, { name: 'alice', roles: ['editor'] });
    expect(await outcomeOf(callUnary(test.client(old), status.definition.getStatus, {}))).toBe('unauthenticated');
  });

  it('keeps no password in clear, in the store, the log or an error', async () => {
    test = await startTestAuth();
    await addUser(test, { name: 'alice', roles: ['access'], password: 'canary-password-0001' });
    await answerTo('alice', 'canary-password-0002');
    const shown = await callUnary(test.client(test.admin), resources.definition.getResource, {
      kind: 'user',
      name: 'alice',
      withSecrets: true,
    });
    expect(shown.json.toString()).not.toMatch(/canary|argon2/);
    expect(JSON.stringify(await auditRecords(test))).not.toContain('canary');
  });
});
