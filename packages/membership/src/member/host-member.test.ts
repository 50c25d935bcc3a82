import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CertsService, callUnary, PosternError } from '@postern/api';
import { caPin, generateKey } from '@postern/pki';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type EnterOptions, enterCluster } from '#member/enter-cluster.ts';
import { loadMember } from '#member/stored-member.ts';
import { TestAuth, TOKEN } from '#testing/test-auth.ts';

let auth: TestAuth;
let dir = '';
const open: { stop(): Promise<void> }[] = [];
beforeEach(async () => {
  auth = await TestAuth.start();
  dir = mkdtempSync(join(tmpdir(), 'enter-'));
  return async () => {
    await auth.stop();
    rmSync(dir, { recursive: true, force: true });
  };
});
afterEach(async () => {
  for (const thing of open.splice(0)) await thing.stop();
});

const enter = async (over: Partial<Omit<EnterOptions, 'proxy' | 'authServer'>> = {}) => {
  const member = await enterCluster({
    authServer: auth.address,
    caPins: [caPin(auth.host.certificatePem)],
    dataDir: dir,
    token: TOKEN,
    role: 'db',
    nodeName: 'n',
    version: '0.1.0',
    ...over,
  });
  open.push(member);
  return member;
};

describe('a host at its start', () => {
  it('joins once, and goes on with the same identity without a token and without asking anybody', async () => {
    const first = await enter();
    await first.stop();
    await auth.stop();
    const second = await enterCluster({
      authServer: auth.address,
      dataDir: dir,
      role: 'db',
      nodeName: 'n',
      version: '0.1.0',
    });
    open.push(second);
    expect(second.hostId).toBe(first.hostId);
    expect(second.current()).toEqual(first.current());
    expect(auth.joins).toHaveLength(1);
  });

  it('that has neither identity nor token is told how to get one', async () => {
    await expect(enterCluster({ authServer: auth.address, dataDir: dir, role: 'db', nodeName: 'n', version: '0.1.0' })).rejects.toThrow(
      /a join token is missing, and this host has not joined yet .*tctl tokens add --type=db/,
    );
  });

  it('whose certificate expired while it was off joins anew where it has a token, and says so where not', async () => {
    auth.hostTtlMs = 2000;
    const first = await enter();
    await first.stop();
    const later = () => Date.now() + 3000;
    await expect(
      enterCluster({ authServer: auth.address, dataDir: dir, role: 'db', nodeName: 'n', version: '0.1.0', nowMs: later }),
    ).rejects.toThrow('has expired');
    auth.hostTtlMs = 3_600_000;
    const second = await enter({ nowMs: later });
    expect(second.hostId).not.toBe(first.hostId);
    expect(loadMember(dir, 'db')?.hostId).toBe(second.hostId);
  });

  it('asks for a token only where it has to join', async () => {
    let asked = 0;
    const token = () => {
      asked += 1;
      return Promise.resolve(TOKEN);
    };
    await (await enter({ token })).stop();
    await (await enter({ token })).stop();
    expect(asked).toBe(1);
  });
});

describe('a member', () => {
  it('renews with a new key at two thirds of its certificate’s life, keeps it on disk and tells its listeners', async () => {
    auth.hostTtlMs = 3000;
    const member = await enter({ random: () => 0 });
    const before = member.current();
    const joinedMs = performance.now();
    auth.hostTtlMs = 3_600_000;
    const renewed = await new Promise<unknown>((resolve) => member.onRenewed(resolve));
    expect(performance.now() - joinedMs).toBeGreaterThan(900);
    expect(performance.now() - joinedMs).toBeLessThan(2900);
    const after = member.current();
    expect(renewed).toBe(after);
    expect(after.privateKeyPem).not.toBe(before.privateKeyPem);
    expect(after.notAfterMs).toBeGreaterThan(before.notAfterMs);
    expect(loadMember(dir, 'db')).toEqual(after);
    expect(member.hostId).toBe(loadMember(dir, 'db')?.hostId);
  });

  it('gives a channel with the certificate of the moment, and another one after a renewal', async () => {
    const member = await enter();
    const before = member.client();
    expect(member.client()).toBe(before);
    const { publicKeyDer } = generateKey();
    await callUnary(before, CertsService.renewHostCert, { publicKey: publicKeyDer });
    expect(auth.renewals).toBe(1);
    await Promise.all([member.renew(), member.renew()]);
    expect(auth.renewals).toBe(2);
    expect(member.client()).not.toBe(before);
    const own = member.openChannel();
    await callUnary(own, CertsService.renewHostCert, { publicKey: publicKeyDer });
    own.close();
  });

  it('goes on with what it has where a renewal fails, says so, and tries again', async () => {
    auth.hostTtlMs = 4000;
    auth.renewalRefusal = new PosternError('locked', 'a lock is in force on this host');
    const problems: unknown[] = [];
    let told = () => {};
    const twice = new Promise<void>((resolve) => {
      told = resolve;
    });
    const member = await enter({
      random: () => 0,
      onProblem: (error) => {
        problems.push(error);
        if (problems.length === 2) told();
      },
    });
    const before = member.current();
    await twice;
    expect(problems[0]).toMatchObject({ code: 'locked' });
    expect(member.current()).toBe(before);
    auth.renewalRefusal = undefined;
    await new Promise((resolve) => member.onRenewed(resolve));
    expect(member.current()).not.toBe(before);
  });

  it('refuses a renewed certificate that is another host’s, and goes on with its own', async () => {
    const [one, other] = [await enter(), await enter({ dataDir: join(dir, 'other') })];
    const before = one.current();
    const { hostId, certificatePem } = other.material();
    auth.distort = (answer) => ({ ...answer, hostId, certificatePem });
    await expect(one.renew()).rejects.toThrow('which was not asked for');
    auth.distort = (answer) => ({ ...answer, certificatePem });
    await expect(one.renew()).rejects.toThrow('is not accepted here');
    expect(one.current()).toBe(before);
  });

  it('that has stopped gives no channel and renews no more', async () => {
    const member = await enter();
    await member.stop();
    expect(() => member.client()).toThrow('is stopping');
  });
});
