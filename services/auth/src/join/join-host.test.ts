import { limits } from '@postern/limits';
import { afterEach, describe, expect, it } from 'vitest';
import { generateKeyPairSync } from 'node:crypto';
import { generateKey, identityOf, certificateDerOf } from '@postern/pki';
import { Identity_Kind } from '@postern/api';
import {
  addToken,
  auditRecords,
  callUnary,
  certs,
  joinAs,
  joins,
  outcomeOf,
  resources,
  startTestAuth,
  type TestAuth,
  tokens,
} from '#testing/test-auth.ts';

let test: TestAuth;
afterEach(() => test.stop());

describe('joining', () => {
  it('gives the host an id of our choosing and the role of the token, and the agent renews with the same identity', async () => {
    test = await startTestAuth();
    const token = await addToken(test, { roles: ['db'], dbName: 'orders' });
    const host = await joinAs(test, { token, role: 'db' });
    const identity = identityOf(certificateDerOf(host.certificatePem));
    expect(identity).toMatchObject({ kind: Identity_Kind.DB_AGENT, name: host.hostId, cluster: 'test.example.com', roles: [] });
    const renewed = await callUnary(test.client(host), certs.definition.renewHostCert, { publicKey: generateKey().publicKeyDer });
    expect(renewed.hostId).toBe(host.hostId);
    expect(identityOf(certificateDerOf(renewed.certificatePem))).toEqual(identity);
    expect(renewed.validUntilMs).toBeLessThanOrEqual(test.clock.now + 24 * 3_600_000);
  });

  it('lets exactly one of fifty parallel joins in on a single-use token, and none afterwards', async () => {
    test = await startTestAuth();
    const token = await addToken(test, { roles: ['db'], maxUses: 1 });
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => outcomeOf(joinAs(test, { token, role: 'db' }))));
    expect(outcomes.filter((outcome) => outcome === 'ok')).toHaveLength(1);
    expect(await outcomeOf(joinAs(test, { token, role: 'db' }))).not.toBe('ok');
    const joined = await auditRecords(test, 'instance.join');
    expect(joined.filter(({ code }) => code === 'TJ002I')).toHaveLength(1);
  });

  it('lets in exactly as many as a limited token allows', async () => {
    test = await startTestAuth();
    const token = await addToken(test, { roles: ['db'], maxUses: 7 });
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => outcomeOf(joinAs(test, { token, role: 'db' }))));
    expect(outcomes.filter((outcome) => outcome === 'ok')).toHaveLength(7);
  });

  it('tells the joiner one text for every cause, and the audit log which it was', async () => {
    test = await startTestAuth();
    const expired = await addToken(test, { roles: ['db'], ttlSeconds: 60 });
    test.clock.now += 60_000;
    const dbOnly = await addToken(test, { roles: ['db'] });
    const deleted = await addToken(test, { roles: ['app'] });
    await callUnary(test.client(test.admin), tokens.definition.deleteToken, { token: deleted });
    const spent = await addToken(test, { roles: ['app'], maxUses: 1 });
    await joinAs(test, { token: spent, role: 'app' });
    const attempts = [expired, dbOnly, deleted, spent, dbOnly.slice(0, -1), ` ${dbOnly} `, 'no-such-token-at-all', ''];
    const texts = new Set<string>();
    for (const token of attempts)
      await joinAs(test, { token, role: 'app' }).catch((error: Error) =>
        texts.add(`${(error as unknown as { code: string }).code} ${error.message}`),
      );
    expect([...texts]).toEqual(['denied the host cannot join with role "app": the token is not valid']);
    const causes = (await auditRecords(test, 'instance.join')).filter(({ code }) => code === 'TJ002E').map(({ error }) => error);
    expect(causes).toEqual([
      'the token has expired',
      'the token is for db',
      'no such token',
      'the token has been used as often as it may be',
      'no such token',
      'no such token',
      'no such token',
      'no such token',
    ]);
    const log = JSON.stringify(await auditRecords(test));
    for (const token of [expired, dbOnly, deleted, spent]) expect(log).not.toContain(token);
  });

  it('keeps a flood of guesses out of the audit log and does not keep a real agent out', async () => {
    test = await startTestAuth();
    const token = await addToken(test, { roles: ['db'] });
    const attacker = test.client();
    const publicKey = generateKey().publicKeyDer;
    const guess = (i: number) =>
      callUnary(attacker, joins.definition.join, { token: `guess-${i}-abcdefghijkl`, role: 'db', nodeName: 'n', publicKey, version: '' });
    // As many at a time as a stranger may have under way on one connection.
    const guesses: string[] = [];
    for (let i = 0; i < 400; i += limits.strangerCalls)
      guesses.push(...(await Promise.all(Array.from({ length: limits.strangerCalls }, (_, at) => outcomeOf(guess(i + at))))));
    expect(guesses.filter((outcome) => outcome === 'denied')).toHaveLength(20);
    expect(guesses.filter((outcome) => outcome === 'limit_exceeded')).toHaveLength(380);
    expect(await outcomeOf(joinAs(test, { token, role: 'db' }))).toBe('ok');
    const failed = (await auditRecords(test, 'instance.join')).filter(({ code }) => code === 'TJ002E');
    expect(failed).toHaveLength(20);
  }, 30_000);

  it('refuses keys that are not P-256, oversized and malformed ones, before it looks at the token', async () => {
    test = await startTestAuth();
    const token = await addToken(test, { roles: ['db'], maxUses: 1 });
    const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ type: 'spki', format: 'der' });
    const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ type: 'spki', format: 'der' });
    const join = (publicKey: Buffer) =>
      outcomeOf(callUnary(test.client(), joins.definition.join, { token, role: 'db', nodeName: 'n', publicKey, version: '' }));
    for (const publicKey of [rsa, p384, Buffer.alloc(16_000, 0x30), Buffer.alloc(0), Buffer.from('00')])
      expect(await join(publicKey)).toBe('bad_request');
    expect(await join(Buffer.alloc(limits.strangerMessageBytes, 0x30))).toBe('limit_exceeded');
    expect(await outcomeOf(joinAs(test, { token, role: 'db' }))).toBe('ok');
  });

  it('takes tokens of the configuration file for their own role, and refuses short ones at start', async () => {
    test = await startTestAuth({ config: { staticTokens: [{ roles: ['proxy'], value: 'a-static-token-of-the-file' }] } });
    expect(await outcomeOf(joinAs(test, { token: 'a-static-token-of-the-file', role: 'proxy' }))).toBe('ok');
    expect(await outcomeOf(joinAs(test, { token: 'a-static-token-of-the-file', role: 'db' }))).toBe('denied');
    await expect(startTestAuth({ config: { staticTokens: [{ roles: ['proxy'], value: 'short' }] } })).rejects.toThrow(/at least 128 bits/);
  });

  it('stores tokens as hashes, lists them masked, and names them by an id that opens nothing', async () => {
    test = await startTestAuth();
    const token = await addToken(test, { roles: ['db'], dbName: 'orders' });
    const { tokens: listed } = await callUnary(test.client(test.admin), tokens.definition.listTokens, {});
    expect(listed).toHaveLength(1);
    expect(listed[0]?.masked).toBe(`${'*'.repeat(24)}${token.slice(24)}`);
    expect(listed[0]?.boundNames).toEqual(['orders']);
    const shown = await callUnary(test.client(test.admin), resources.definition.listResources, {
      kind: 'token',
      withSecrets: true,
      pageSize: 0,
      pageToken: '',
    });
    expect(JSON.stringify(shown)).not.toContain(token);
    const id = listed[0]?.id ?? '';
    expect(await outcomeOf(joinAs(test, { token: id, role: 'db' }))).toBe('denied');
    await callUnary(test.client(test.admin), tokens.definition.deleteToken, { token: id });
    expect(await outcomeOf(joinAs(test, { token, role: 'db' }))).toBe('denied');
  });

  it('refuses a locked host its renewal, and lets it renew again once the lock is lifted', async () => {
    test = await startTestAuth();
    const host = await joinAs(test, { token: await addToken(test, { roles: ['db'] }), role: 'db' });
    const lock = { kind: 'lock', version: 'v2', metadata: { name: 'l1' }, spec: { target: { server_id: host.hostId } } };
    await callUnary(test.client(test.admin), resources.definition.createResource, {
      kind: 'lock',
      json: Buffer.from(JSON.stringify(lock)),
    });
    const renew = () => outcomeOf(callUnary(test.client(host), certs.definition.renewHostCert, { publicKey: generateKey().publicKeyDer }));
    expect(await renew()).toBe('locked');
    await callUnary(test.client(test.admin), resources.definition.deleteResource, { kind: 'lock', name: 'l1', withSecrets: false });
    expect(await renew()).toBe('ok');
  });
});
