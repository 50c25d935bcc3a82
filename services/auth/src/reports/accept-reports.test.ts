import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import type { AuditEvent } from '@postern/api';
import { generateKey } from '@postern/pki';
import {
  addToken,
  addUser,
  announce,
  audit,
  auditRecords,
  callStream,
  callUnary,
  certs,
  type JoinedHost,
  joinAs,
  outcomeOf,
  resources,
  server,
  signInAs,
  startTestAuth,
  type TestAuth,
} from '#testing/test-auth.ts';

let test: TestAuth;
let agent: JoinedHost;
let sessionId: string;
afterEach(() => test.stop());

async function begin(): Promise<void> {
  test = await startTestAuth();
  agent = await joinAs(test, { token: await addToken(test, { roles: ['db'], dbName: 'orders' }), role: 'db' });
  await announce(test, agent, [server('orders')]);
  await addUser(test, { name: 'alice', roles: ['access'], traits: { db_users: ['Reader'] } });
  const session = await callUnary(test.client(await signInAs(test, 'alice')), certs.definition.issueSessionCert, {
    resourceKind: 'db',
    resourceName: 'orders',
    principal: 'Reader',
    publicKey: generateKey().publicKeyDer,
    ttlSeconds: 0,
  });
  sessionId = session.sessionId;
}
function event(more: Partial<AuditEvent> = {}): AuditEvent {
  return {
    id: randomUUID(),
    kind: 'db.session.dynamodb.request',
    code: 'TDY01I',
    timeMs: test.clock.now,
    user: 'alice',
    resource: 'db/orders',
    sessionId,
    success: true,
    fieldsJson: Buffer.from('{"operation":"GetItem"}'),
    ...more,
  };
}
const append = (events: AuditEvent[], who: JoinedHost = agent) => callUnary(test.client(who), audit.definition.appendEvents, { events });

describe('what agents report', () => {
  it('stands in the log under the agent’s own id, once, however often it is sent', async () => {
    await begin();
    const sent = event();
    expect(await append([sent])).toEqual({ stored: 1, duplicates: 0 });
    expect(await append([sent, sent])).toEqual({ stored: 0, duplicates: 2 });
    const [record] = await auditRecords(test, sent.kind);
    expect(record).toMatchObject({ uid: sent.id, user: 'alice', sid: sessionId, server_id: agent.hostId, operation: 'GetItem' });
  });

  it('JN-07 is not believed about a session of another resource, another user’s, or one that was never issued', async () => {
    await begin();
    const lies = [
      event({ resource: 'db/customers' }),
      event({ user: 'bob' }),
      event({ sessionId: randomUUID() }),
      event({ sessionId: '' }),
      event({ sessionId: '../users' }),
      event({ kind: 'user.login', code: 'T1000I' }),
    ];
    expect((await append(lies)).stored).toBe(lies.length);
    expect(await auditRecords(test, 'db.session.dynamodb.request')).toEqual([]);
    expect((await auditRecords(test, 'user.login')).map(({ server_id }) => server_id)).not.toContain(agent.hostId);
    const kept = await auditRecords(test, 'report.refused');
    expect(kept.map(({ user, server_id }) => [user, server_id])).toEqual(lies.map(() => ['', agent.hostId]));
    expect(kept[1]).toMatchObject({ error: 'the session is of another user', claimed: { user: 'bob' } });
  });

  // A session id is known to the user and to whoever reads the log: an agent that had one could write in its user's name.
  it('JN-07 is not believed from a host that the session was not issued for, whatever it knows', async () => {
    await begin();
    const rogue = await joinAs(test, { token: await addToken(test, { roles: ['db'], dbName: 'other' }), role: 'db' });
    await announce(test, rogue, [server('other'), server('orders')]);
    const lies = [
      event(),
      event({ success: false }),
      event({ user: '', sessionId: '' }),
      event({ kind: 'agent.note', user: '', sessionId: '' }),
    ];
    expect((await append(lies, rogue)).stored).toBe(lies.length);
    const kept = await auditRecords(test, 'report.refused');
    expect(kept.map(({ error }) => error)).toEqual([
      'the session is of another host',
      'an event of a session has a session id',
      'without a session a host reports on itself alone',
    ]);
    const [unverified, ...rest] = await auditRecords(test, 'db.session.dynamodb.request');
    expect([unverified?.['user'], unverified?.['sid'], rest]).toEqual(['', '', []]);
    await append([event({ kind: 'agent.note', user: '', sessionId: '', resource: `host/${rogue.hostId}` })], rogue);
    expect(await auditRecords(test, 'agent.note')).toHaveLength(1);
  });

  it('keeps a refusal of a stranger without putting it in the name that the stranger gave', async () => {
    await begin();
    const stranger = event({ kind: 'db.session.start', code: 'TDB00W', success: false, user: 'bob', sessionId: randomUUID() });
    await append([stranger]);
    const [record] = await auditRecords(test, 'db.session.start');
    expect(record).toMatchObject({ code: 'TDB00W', user: '', sid: '', unverified: { user: 'bob' }, operation: 'GetItem' });
  });

  // The answer is lost, the agent sends again, its batches cut in other places; auth is restarted in between.
  it('F-27 is counted once each however often answers are lost, and each second delivery as a duplicate', async () => {
    await begin();
    const events = Array.from({ length: 60 }, (_, i) => event({ timeMs: test.clock.now + (i % 10 === 0 ? 3_600_000 : -i) }));
    const lost = [events.slice(0, 40), events.slice(20, 60), events].map((part) => {
      const client = test.client(agent);
      const answer = append(part).catch(() => undefined);
      client.close();
      return answer;
    });
    await Promise.all(lost);
    test = await test.restart();
    test.clock.now += 5000;
    expect(await append(events.toReversed())).toEqual({ stored: 0, duplicates: 60 });
    const known = await auditRecords(test, 'db.session.dynamodb.request');
    expect(known).toHaveLength(events.length);
    expect(new Set(known.map(({ uid }) => uid))).toEqual(new Set(events.map(({ id }) => id)));
    expect(await auditRecords(test, 'report.refused')).toEqual([]);
  });

  it('JN-07 cannot say that something happened in the future', async () => {
    await begin();
    const late = event({ timeMs: test.clock.now + 3_600_000 });
    await append([late]);
    const [record] = await auditRecords(test, late.kind);
    expect(record).toMatchObject({
      time: new Date(test.clock.now).toISOString(),
      claimed_time: new Date(late.timeMs).toISOString(),
      received: new Date(test.clock.now).toISOString(),
      server_id: agent.hostId,
    });
  });
});

describe('who reads the log', () => {
  it('AU-08 is an auditor, who changes nothing, and no editor and no user; and the log verifies', async () => {
    await begin();
    await addUser(test, { name: 'aud', roles: ['auditor'] });
    await addUser(test, { name: 'ed', roles: ['editor'] });
    const aud = test.client(await signInAs(test, 'aud'));
    expect((await callUnary(aud, audit.definition.verifyLog, {})).ok).toBe(true);
    await addUser(test, { name: 'mallory', roles: ['access'] });
    const everything = { fromMs: 0, toMs: 0, user: '', kind: '', resource: '', limit: 0, oldestFirst: false, sessionId: '' };
    for (const name of ['ed', 'mallory']) {
      const client = test.client(await signInAs(test, name));
      expect(await outcomeOf(callUnary(client, audit.definition.verifyLog, {}))).toBe('denied');
      for (const ask of [
        () => callStream(client, audit.definition.queryEvents, everything),
        () => callStream(client, audit.definition.tailEvents, { ...everything, user: name }),
        () => callStream(client, audit.definition.watchVerification, {}),
      ]) {
        expect(await outcomeOf(ask().next())).toBe('denied');
      }
    }
    // Nobody edits: besides what reads there is one method, which appends, and it is not for people.
    expect(Object.keys(audit.definition).toSorted()).toEqual([
      'appendEvents',
      'queryEvents',
      'tailEvents',
      'verifyLog',
      'watchVerification',
    ]);
    for (const who of [test.admin, await signInAs(test, 'aud')]) {
      expect(await outcomeOf(callUnary(test.client(who), audit.definition.appendEvents, { events: [event()] }))).toBe('denied');
    }
    const role = Buffer.from(JSON.stringify({ kind: 'role', version: 'v7', metadata: { name: 'r' }, spec: { allow: {} } }));
    expect(await outcomeOf(callUnary(aud, resources.definition.putResource, { kind: 'role', json: role }))).toBe('denied');
  });

  it('follows it as it grows, until the right to is lost', async () => {
    await begin();
    await addUser(test, { name: 'aud', roles: ['auditor'] });
    const all = {
      fromMs: 0,
      toMs: 0,
      user: '',
      kind: 'db.session.dynamodb.request',
      resource: '',
      limit: 0,
      oldestFirst: false,
      sessionId: '',
    };
    const tail = callStream(test.client(await signInAs(test, 'aud')), audit.definition.tailEvents, all);
    const next = tail.next();
    // The tail begins when auth has taken the call: events are sent until one is heard.
    const sending = setInterval(() => void append([event()]), 50);
    try {
      expect(JSON.parse((await next).value?.json.toString() ?? '{}')).toMatchObject({ event: all.kind, user: 'alice' });
    } finally {
      clearInterval(sending);
    }
    await callUnary(test.client(test.admin), resources.definition.deleteResource, { kind: 'user', name: 'aud', withSecrets: false });
    const ended = (async () => {
      for await (const _ of tail);
    })();
    expect(await outcomeOf(ended)).toBe('unauthenticated');
  });
});
