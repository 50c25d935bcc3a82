import { afterEach, describe, expect, it } from 'vitest';
import { Identity_Kind, ResourceEvent_Type } from '@postern/api';
import { certificateDerOf, generateKey, identityOf, readCertificate, readTicket, resourceId } from '@postern/pki';
import {
  access,
  addToken,
  addUser,
  announce,
  auditRecords,
  callStream,
  callUnary,
  certs,
  type Credential,
  type JoinedHost,
  joinAs,
  outcomeOf,
  putResource,
  resources,
  routeKeys,
  server,
  signInAs,
  startTestAuth,
  status,
  type TestAuth,
} from '#testing/test-auth.ts';

let test: TestAuth;
let agent: JoinedHost;
afterEach(() => test.stop());

const HOUR = 3_600_000;

/** A cluster with one agent that serves db/orders, and alice, who may be Reader there. */
async function begin(): Promise<void> {
  test = await startTestAuth();
  agent = await joinAs(test, { token: await addToken(test, { roles: ['db'], dbName: 'orders', labels: { env: 'dev' } }), role: 'db' });
  await announce(test, agent, [server('orders')]);
  await put({
    kind: 'role',
    version: 'v7',
    metadata: { name: 'dev' },
    spec: { allow: { db_labels: { env: 'dev' }, db_users: ['Reader', 'role/team/Writer'] } },
  });
  await addUser(test, { name: 'alice', roles: ['dev'] });
}
const put = (resource: Parameters<typeof putResource>[1]) => putResource(test, resource);
async function ask(who: Credential, more: { principal?: string; name?: string; ttlSeconds?: number } = {}) {
  const key = generateKey();
  const answer = await callUnary(test.client(who), certs.definition.issueSessionCert, {
    resourceKind: 'db',
    resourceName: more.name ?? 'orders',
    principal: more.principal ?? 'Reader',
    publicKey: key.publicKeyDer,
    ttlSeconds: more.ttlSeconds ?? 0,
  });
  return { ...answer, privateKeyPem: key.privateKeyPem };
}
const refusal = (who: Credential, more: Parameters<typeof ask>[1] = {}) =>
  ask(who, more).then(
    () => 'ok',
    (error: unknown) => `${(error as { code: string }).code}: ${(error as Error).message}`,
  );

describe('a session certificate', () => {
  it('is for one resource under one principal, with a ticket that proxies can read and the ids of its agents', async () => {
    await begin();
    const alice = await signInAs(test, 'alice');
    const session = await ask(alice);
    const facts = readCertificate(certificateDerOf(session.certificatePem));
    expect(facts.identity).toMatchObject({
      kind: Identity_Kind.SESSION,
      name: 'alice',
      roles: ['dev'],
      route: { resourceKind: 'db', resourceName: 'orders', principal: 'Reader' },
      sessionId: session.sessionId,
      generation: identityOf(certificateDerOf(alice.certificatePem)).generation,
    });
    expect(session.agentIds).toEqual([agent.hostId]);
    expect(session.protocol).toBe('dynamodb');
    const proxy = await joinAs(test, { token: await addToken(test, { roles: ['proxy'] }), role: 'proxy' });
    const sets = callStream(test.client(proxy), routeKeys.definition.watchRouteKeys, {});
    const first = await sets.next();
    await sets.return(undefined);
    const keys = (first.value?.keys ?? []).map(({ key }: { key: Buffer }) => key);
    expect(readTicket({ ticket: session.ticket, keys, nowMs: test.clock.now })?.resourceId).toEqual(resourceId('db', 'orders'));
    const [record] = await auditRecords(test, 'cert.create');
    expect(record).toMatchObject({ code: 'TC000I', user: 'alice', sid: session.sessionId });
  });

  it('does not outlive the certificate that asked for it', async () => {
    await begin();
    const alice = await signInAs(test, 'alice', { ttlSeconds: 3600 });
    test.clock.now += HOUR / 2;
    await announce(test, agent, [server('orders')]);
    expect((await ask(alice, { ttlSeconds: 86_400 })).validUntilMs).toBe(test.clock.now + HOUR / 2);
    expect((await ask(alice, { ttlSeconds: 60 })).validUntilMs).toBe(test.clock.now + 60_000);
  });

  it('calls nothing of auth', async () => {
    await begin();
    const session = await ask(await signInAs(test, 'alice'));
    expect(await outcomeOf(callUnary(test.client(session), status.definition.getStatus, {}))).toBe('denied');
    expect(await refusal(session)).toMatch(/^denied/);
  });

  it('is refused with the roles that are allowed where the principal is absent or not granted, in every spelling', async () => {
    await begin();
    const alice = await signInAs(test, 'alice');
    expect(await refusal(alice, { principal: '' })).toMatch(/^denied: .*--db-user.*your roles allow Reader, role\/team\/Writer/);
    expect(await refusal(alice, { principal: 'Admin' })).toMatch(/^denied: .*Admin.*your roles allow Reader, role\/team\/Writer/);
    expect(await refusal(alice, { principal: 'arn:aws:iam::123456789012:role/Reader' })).toBe('ok');
    expect(await refusal(alice, { principal: 'arn:aws:iam::999999999999:role/Reader' })).toMatch(/^denied/);
    expect((await auditRecords(test, 'cert.create')).filter(({ code }) => code === 'TC000E')).toHaveLength(3);
  });

  it('RB-10 says the same of a database that is not there and of one that the user may not see', async () => {
    await begin();
    await addUser(test, { name: 'mallory', roles: ['auditor'] });
    const mallory = await signInAs(test, 'mallory');
    const hidden = await refusal(mallory);
    expect(hidden).toMatch(/^not_found: .*tsh db ls/);
    expect((await refusal(mallory, { name: 'nowhere' })).replaceAll('nowhere', 'orders')).toBe(hidden);
    const own = await callUnary(test.client(mallory), access.definition.explainAccess, {
      user: 'mallory',
      resourceKind: 'db',
      resourceName: 'orders',
      principal: '',
    }).catch((error: unknown) => error as { code: string });
    expect(own).toMatchObject({ code: 'not_found' });
  });

  it('is refused to a locked user at once, and while a role or the agent is locked', async () => {
    await begin();
    const alice = await signInAs(test, 'alice');
    const admin = test.client(test.admin);
    for (const [target, code] of [
      [{ user: 'alice' }, 'locked'],
      [{ role: 'dev' }, 'locked'],
      [{ server_id: agent.hostId }, 'not_found'],
    ] as const) {
      await put({ kind: 'lock', version: 'v2', metadata: { name: 'l1' }, spec: { target, message: 'ask ops' } });
      expect(await refusal(alice)).toMatch(new RegExp(`^${code}`));
      await callUnary(admin, resources.definition.deleteResource, { kind: 'lock', name: 'l1', withSecrets: false });
    }
    expect(await refusal(alice)).toBe('ok');
  });

  it('goes by the roles that the user has now, not by those of the sign-in', async () => {
    await begin();
    await put({ kind: 'role', version: 'v7', metadata: { name: 'no-orders' }, spec: { deny: { db_labels: { env: 'dev' } } } });
    const alice = await signInAs(test, 'alice');
    await put({ kind: 'user', version: 'v2', metadata: { name: 'alice' }, spec: { roles: ['dev', 'no-orders'] } });
    expect(await refusal(alice)).toMatch(/^not_found/);
    await put({ kind: 'user', version: 'v2', metadata: { name: 'alice' }, spec: { roles: ['dev'] } });
    expect(await refusal(alice)).toBe('ok');
    await put({ kind: 'user', version: 'v2', metadata: { name: 'alice' }, spec: { roles: [] } });
    expect(await refusal(alice)).toMatch(/^not_found/);
  });

  it('explains the same decision that it makes', async () => {
    await begin();
    const admin = test.client(test.admin);
    for (const [principal, allowed] of [
      ['Reader', true],
      ['Admin', false],
    ] as const) {
      const explained = await callUnary(admin, access.definition.explainAccess, {
        user: 'alice',
        resourceKind: 'db',
        resourceName: 'orders',
        principal,
      });
      expect(explained.allowed).toBe(allowed);
      expect(explained.steps.join('\n')).toContain('dev');
    }
  });
});

describe('a user certificate past its end', () => {
  it('is refused by the clock of auth, even on a connection that was open before', async () => {
    await begin();
    const alice = await signInAs(test, 'alice', { ttlSeconds: 60 });
    const client = test.client(alice);
    expect(await outcomeOf(callUnary(client, status.definition.getStatus, {}))).toBe('ok');
    test.clock.now += 61_000;
    expect(await outcomeOf(callUnary(client, status.definition.getStatus, {}))).toBe('expired');
  });
});

describe('a session that its own user ends', () => {
  const end = (who: Credential, sessionId: string) => outcomeOf(callUnary(test.client(who), certs.definition.endSession, { sessionId }));

  it('is told to agents at once, and to those that come later for as long as its certificate lasts', async () => {
    await begin();
    const alice = await signInAs(test, 'alice');
    const session = await ask(alice, { ttlSeconds: 600 });
    const watch = () => callStream(test.client(agent), resources.definition.watchResources, { kinds: ['ended_session'] });
    const events = watch();
    expect((await events.next()).value).toMatchObject({ type: ResourceEvent_Type.SYNCED });
    expect(await end(alice, session.sessionId)).toBe('ok');
    const told = { type: ResourceEvent_Type.PUT, resource: { kind: 'ended_session', name: session.sessionId } };
    expect((await events.next()).value).toMatchObject(told);
    await events.return(undefined);
    const later = watch();
    expect((await later.next()).value).toMatchObject(told);
    await later.return(undefined);
    expect(await end(alice, session.sessionId)).toBe('ok');
    const records = await auditRecords(test, 'session.logout');
    expect(records).toHaveLength(1);
    expect(records[0]).toMatchObject({ code: 'T2016I', user: 'alice', sid: session.sessionId });
    test.clock.now += 601_000;
    const after = watch();
    expect((await after.next()).value).toMatchObject({ type: ResourceEvent_Type.SYNCED });
    await after.return(undefined);
  });

  it('is nobody else’s to end, and what never was is answered in the same way', async () => {
    await begin();
    await addUser(test, { name: 'bob', roles: ['dev', 'editor'] });
    const session = await ask(await signInAs(test, 'alice'));
    const bob = await signInAs(test, 'bob');
    expect(await end(bob, session.sessionId)).toBe('not_found');
    expect(await end(bob, 'nothing')).toBe('not_found');
    expect(await end(agent, session.sessionId)).toBe('denied');
    const put = { kind: 'ended_session', version: 'v1', metadata: { name: session.sessionId }, spec: { user: 'alice' } };
    expect(await outcomeOf(putResource(test, put))).not.toBe('ok');
    expect(await auditRecords(test, 'session.logout')).toEqual([]);
  });
});
