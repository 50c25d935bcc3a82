import { Identity, Identity_Kind } from '@postern/api';
import { awsCredentialOperations, compileSubject, decide, lockMode, type Role } from '@postern/rbac';
import { beforeEach, describe, expect, it } from 'vitest';
import { Authorizer, STALE_CEILING_MS, STRICT_STALE_MS, type Standing } from '#authorise/authorizer.ts';
import { PolicyView } from '#authorise/policy-view.ts';

const T0 = Date.parse('2026-05-01T12:00:00Z');
const asked = {
  kind: 'db' as const,
  name: 'orders',
  labels: { env: 'dev' },
  principal: ['Reader', 'arn:aws:iam::111122223333:role/Reader'],
};

let policy: PolicyView;
let nowMs: number;
let monotonicMs: number;
let viewAgeMs: number;
let decisions: number;
let authorizer: Authorizer;

const role = (name: string, written: Partial<Role> = {}): Role => ({ name, version: 'v7', allow: {}, deny: {}, options: {}, ...written });
const putRole = (value: Role, revision = '1') => policy.put({ kind: 'role', name: value.name, revision, json: value });
const putUser = (name: string, roles: string[], generation = 'g1') =>
  policy.put({ kind: 'user', name, revision: '1', json: { spec: { roles }, generation } });
const putLock = (name: string, target: object, rest: object = {}) =>
  policy.put({ kind: 'lock', name, revision: '1', json: { kind: 'lock', metadata: { name }, spec: { target, ...rest } } });

function standing(roles: readonly string[] = ['dev'], generation = 'g1', serial = 's1'): Standing {
  const identity = Identity.fromPartial({
    kind: Identity_Kind.SESSION,
    sessionId: `session-${serial}`,
    name: 'alice',
    roles: [...roles],
    generation,
    cluster: 'test',
  });
  return authorizer.standingOf({ identity, serial, notAfterMs: T0 + 3_600_000 });
}

beforeEach(() => {
  nowMs = T0;
  monotonicMs = 0;
  viewAgeMs = 0;
  decisions = 0;
  policy = new PolicyView({ readRole: (json) => json as Role, onUnreadable: () => undefined });
  authorizer = new Authorizer({
    policy,
    serverId: 'agent-1',
    nowMs: () => nowMs,
    monotonicMs: () => monotonicMs,
    viewAgeMs: () => viewAgeMs,
    compileSubject,
    decide: (compiled, request) => {
      decisions += 1;
      return decide(compiled, request);
    },
    lockMode,
    awsCredentialOperations,
  });
  putRole(role('dev', { allow: { dbLabels: { env: ['dev'] }, dbUsers: ['Reader'] } }));
  putUser('alice', ['dev']);
});

describe('a session that its user ended', () => {
  it('is over, and no other one of his; what was decided before counts for nothing', () => {
    const [ended, other] = [standing(), standing(['dev'], 'g1', 's2')];
    expect(ended.authorize(asked).allowed).toBe(true);
    policy.put({ kind: 'ended_session', name: 'session-s1', revision: '1', json: {} });
    expect(ended.authorize(asked)).toMatchObject({
      allowed: false,
      cause: 'expired',
      reason: expect.stringMatching(/logged out/) as unknown,
    });
    expect(ended.check()).toMatchObject({ cause: 'expired' });
    expect(other.authorize(asked).allowed).toBe(true);
    policy.remove('ended_session', 'session-s2');
    expect(ended.check()).toMatchObject({ cause: 'expired' });
  });

  it('is no reason to compile anybody’s roles anew', () => {
    const alice = standing();
    alice.authorize(asked);
    const before = policy.rulesVersion;
    policy.put({ kind: 'ended_session', name: 'session-other', revision: '1', json: {} });
    expect(alice.authorize(asked).allowed).toBe(true);
    expect([policy.rulesVersion, decisions]).toEqual([before, 1]);
  });
});

describe('a request is authorised', () => {
  it('by a role that allows the database and the principal, and decided once while nothing changes', () => {
    const alice = standing();
    for (let i = 0; i < 5; i += 1) expect(alice.authorize(asked)).toMatchObject({ allowed: true });
    putRole(role('another'));
    expect(alice.authorize(asked).allowed).toBe(true);
    expect(decisions).toBe(1);
    expect(alice.authorize({ ...asked, labels: { env: 'prod' } })).toMatchObject({ allowed: false, cause: 'rule' });
    expect(alice.authorize({ ...asked, principal: ['Writer'] })).toMatchObject({ allowed: false, cause: 'rule' });
  });

  it('until the certificate expires, to the millisecond', () => {
    const alice = standing();
    nowMs = T0 + 3_599_999;
    expect(alice.authorize(asked).allowed).toBe(true);
    nowMs += 1;
    expect(alice.authorize(asked)).toMatchObject({ allowed: false, cause: 'expired' });
  });

  it('no more once a role is edited, taken away or deleted, though the certificate still names it', () => {
    const alice = standing();
    expect(alice.authorize(asked).allowed).toBe(true);
    putRole(role('dev', { allow: { dbLabels: { env: ['dev'] }, dbUsers: ['Reader'] }, deny: { dbLabels: { env: ['dev'] } } }), '2');
    expect(alice.authorize(asked)).toMatchObject({ allowed: false, cause: 'rule', role: 'dev' });
    putRole(role('dev', { allow: { dbLabels: { env: ['dev'] }, dbUsers: ['Reader'] } }), '3');
    expect(alice.authorize(asked).allowed).toBe(true);
    putUser('alice', []);
    expect(alice.authorize(asked)).toMatchObject({ allowed: false, cause: 'rule' });
    putUser('alice', ['dev']);
    policy.remove('role', 'dev');
    expect(alice.authorize(asked)).toMatchObject({ allowed: false, cause: 'identity', reason: 'role dev does not exist' });
  });

  it('only with roles that the certificate names, whatever the user was given since', () => {
    putRole(role('admin', { allow: { dbLabels: { '*': ['*'] }, dbUsers: ['*'] } }));
    putUser('alice', ['dev', 'admin']);
    expect(standing().authorize({ ...asked, labels: { env: 'prod' } }).allowed).toBe(false);
    expect(standing(['dev', 'admin'], 'g1', 's2').authorize({ ...asked, labels: { env: 'prod' } }).allowed).toBe(true);
  });

  it('not for a user who was deleted, nor for his namesake', () => {
    const alice = standing();
    policy.remove('user', 'alice');
    expect(alice.check()).toMatchObject({ cause: 'identity', reason: 'user alice does not exist' });
    putUser('alice', ['dev'], 'g2');
    expect(alice.check()).toMatchObject({ cause: 'identity' });
    expect(standing(['dev'], 'g2', 's2').authorize(asked).allowed).toBe(true);
  });

  it('not with a role that this version cannot read: it may deny', () => {
    policy = new PolicyView({
      readRole: () => {
        throw new Error('spec.allow.db_labelz: unknown field');
      },
      onUnreadable: () => undefined,
    });
    authorizer = new Authorizer({
      policy,
      serverId: 'a',
      nowMs: () => nowMs,
      monotonicMs: () => 0,
      viewAgeMs: () => 0,
      compileSubject,
      decide,
      lockMode,
      awsCredentialOperations,
    });
    putRole(role('dev'));
    putUser('alice', ['dev']);
    expect(standing().authorize(asked)).toMatchObject({ allowed: false, reason: expect.stringContaining('db_labelz') as unknown });
  });
});

describe('a clock that is set while a session is open', () => {
  it('lengthens nothing when it is turned back, also where the same certificate comes again', () => {
    const first = standing();
    expect(first.check()).toBeUndefined();
    const leftMs = 3_600_000;
    nowMs -= 2 * 3_600_000;
    monotonicMs += leftMs - 1;
    expect(first.check()).toBeUndefined();
    expect(standing().check()).toBeUndefined();
    monotonicMs += 1;
    expect(first.check()).toMatchObject({ allowed: false, cause: 'expired' });
    expect(standing().check()).toMatchObject({ allowed: false, cause: 'expired' });
  });
});

describe('a lock', () => {
  it.each([
    [{ user: 'alice' }, true],
    [{ user: 'bob' }, false],
    [{ role: 'dev' }, true],
    [{ role: 'admin' }, false],
    [{ server_id: 'agent-1' }, true],
    [{ server_id: 'agent-2' }, false],
    [{ user: 'alice', role: 'admin' }, false],
    [{ user: 'alice', role: 'dev' }, true],
    [{ login: 'alice' }, false],
    [{ user: 'alice', mfa_device: 'x' }, false],
    [{ user: 'alice', a_field_of_tomorrow: 'x' }, true],
  ])('on %j stops alice: %s', (target, stops) => {
    const alice = standing();
    expect(alice.check()).toBeUndefined();
    putLock('l1', target, { message: 'ask security' });
    expect(alice.check() !== undefined).toBe(stops);
    expect(alice.authorize(asked).allowed).toBe(!stops);
  });

  it('says its message, ends at its time, and lets go when it is removed', () => {
    const alice = standing();
    putLock('l1', { user: 'alice' }, { message: 'ask security', expires: new Date(T0 + 60_000).toISOString() });
    expect(alice.check()).toMatchObject({ cause: 'locked', reason: 'user alice is locked: ask security' });
    nowMs = T0 + 60_000;
    expect(alice.check()).toBeUndefined();
    putLock('l2', { user: 'alice' });
    expect(alice.check()).toMatchObject({ cause: 'locked' });
    policy.remove('lock', 'l2');
    expect(alice.authorize(asked).allowed).toBe(true);
  });

  it('that cannot be read stops everyone', () => {
    policy.put({ kind: 'lock', name: 'broken', revision: '1', json: { spec: {} } });
    expect(standing().check()).toMatchObject({ cause: 'locked' });
  });
});

describe('a view that auth has not refreshed', () => {
  it('is believed for five minutes by a strict role and for thirty by any', () => {
    putRole(role('strict', { allow: { dbLabels: { env: ['dev'] }, dbUsers: ['Reader'] }, options: { lock: 'strict' } }));
    putUser('alice', ['dev', 'strict']);
    const easy = standing();
    const strict = standing(['dev', 'strict'], 'g1', 's2');
    viewAgeMs = STRICT_STALE_MS;
    expect(strict.authorize(asked).allowed).toBe(true);
    viewAgeMs += 1;
    expect(strict.authorize(asked)).toMatchObject({ allowed: false, cause: 'stale' });
    expect(easy.authorize(asked).allowed).toBe(true);
    viewAgeMs = STALE_CEILING_MS + 1;
    expect(easy.authorize(asked)).toMatchObject({ allowed: false, cause: 'stale' });
    viewAgeMs = 0;
    expect(strict.authorize(asked).allowed).toBe(true);
  });
});
