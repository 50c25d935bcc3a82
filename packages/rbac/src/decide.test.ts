import { describe, expect, it } from 'vitest';

import {
  type AccessRequest,
  type Role,
  type RoleConditions,
  type Traits,
  RoleError,
  allowedPrincipals,
  compileSubject,
  decide,
} from '#index.ts';

function role(name: string, allow: RoleConditions, deny: RoleConditions = {}, version = 'v6'): Role {
  return { name, version, allow, deny, options: {} };
}
function ask(roles: readonly Role[], request: Partial<AccessRequest> = {}, traits: Traits = {}) {
  return decide(compileSubject({ user: 'alice', roles, traits }), {
    kind: 'db',
    name: 'orders',
    labels: { env: 'prod' },
    principal: ['Reader'],
    ...request,
  });
}
const everywhere = { '*': ['*'] };
const reader = role('reader', { dbLabels: everywhere, dbUsers: ['Reader'] });

describe('decide', () => {
  it('allows the role of the guide, and names it and its rule', () => {
    const guide = role('aws-dynamodb-access', { dbLabels: everywhere, dbUsers: ['ExampleTeleportDynamoDBRole'] });
    const spellings = [
      'ExampleTeleportDynamoDBRole',
      'role/ExampleTeleportDynamoDBRole',
      'arn:aws:iam::123456789012:role/ExampleTeleportDynamoDBRole',
    ];
    expect(ask([guide], { labels: {}, principal: spellings })).toMatchObject({ allowed: true, role: 'aws-dynamodb-access' });
    expect(ask([guide], { labels: {}, principal: ['Admin'] })).toMatchObject({
      allowed: false,
      reason: 'no role allows principal Admin on db/orders (roles: aws-dynamodb-access)',
    });
  });

  it('refuses a subject without roles, and labels or principals spread over two roles', () => {
    expect(ask([]).reason).toBe('no role allows principal Reader on db/orders (roles: none)');
    expect(ask([role('labels', { dbLabels: everywhere }), role('principal', { dbUsers: ['Reader'] })]).allowed).toBe(false);
  });

  it('denies where any role denies, by labels alone or by principal alone, in whatever order', () => {
    const byLabels = role('contractor', {}, { dbLabels: { env: ['prod'] } });
    const byPrincipal = role('contractor', {}, { dbUsers: ['Reader'] });
    expect(ask([reader, byLabels])).toMatchObject({
      allowed: false,
      role: 'contractor',
      reason: 'denied by role contractor: deny.db_labels env=prod',
    });
    expect(ask([byPrincipal, reader])).toMatchObject({ allowed: false, reason: 'denied by role contractor: deny.db_users Reader' });
    expect(ask([reader, byLabels], { labels: { env: 'dev' } }).allowed).toBe(true);
  });

  // CockroachDB users were reached past a deny by writing them in another case (Teleport 15.3.6).
  it('AG-10 denies a principal in any case and any spelling, but allows it only as it is written', () => {
    const all = role('all', { dbLabels: everywhere, dbUsers: ['*'] });
    const spellings = ['admin', 'role/admin', 'arn:aws:iam::123456789012:role/admin'];
    expect(ask([all, role('no', {}, { dbUsers: ['ADMIN'] })], { principal: spellings }).allowed).toBe(false);
    expect(ask([all, role('no', {}, { dbUsers: ['arn:aws:iam::123456789012:role/Admin'] })], { principal: spellings }).allowed).toBe(false);
    expect(ask([reader], { principal: ['reader'] }).allowed).toBe(false);
  });

  it('does not take one kind of rule for the other', () => {
    const app = role('app', { appLabels: everywhere, awsRoleArns: ['Reader'] });
    expect(ask([app]).allowed).toBe(false);
    expect(ask([app], { kind: 'app' }).allowed).toBe(true);
    expect(ask([reader, role('no', {}, { appLabels: everywhere, awsRoleArns: ['Reader'] })]).allowed).toBe(true);
  });

  it('shows a resource whose labels are allowed without asking for a principal, and denies one asked with none', () => {
    const { principal: _, ...seen }: AccessRequest = { kind: 'db', name: 'orders', labels: {}, principal: [] };
    expect(decide(compileSubject({ user: 'alice', roles: [reader], traits: {} }), seen).allowed).toBe(true);
    expect(ask([role('all', { dbLabels: everywhere, dbUsers: ['*'] })], { principal: [] }).allowed).toBe(false);
  });

  it('gives v3 roles all labels where none are written, and later ones none', () => {
    expect(ask([role('old', { dbUsers: ['Reader'] }, {}, 'v3')]).allowed).toBe(true);
    expect(ask([role('old', { dbUsers: ['Reader'], dbLabels: {} }, {}, 'v3')]).allowed).toBe(false);
    expect(ask([role('new', { dbUsers: ['Reader'] }, {}, 'v4')]).allowed).toBe(false);
  });

  it('RB-07 takes labels named like parts of every object for plain names', () => {
    const odd = role('odd', { dbLabels: JSON.parse('{"__proto__":["x"]}'), dbUsers: ['Reader'] });
    expect(ask([odd], { labels: {} }).allowed).toBe(false);
    expect(ask([odd], { labels: JSON.parse('{"__proto__":"x"}') }).allowed).toBe(true);
    for (const name of ['constructor', 'toString', 'hasOwnProperty']) {
      expect(ask([role('odd', { dbLabels: { [name]: ['*'] }, dbUsers: ['Reader'] })]).allowed).toBe(false);
    }
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });

  it('refuses a resource with an overlong label before it matches anything', () => {
    expect(ask([reader], { labels: { env: 'a'.repeat(1025) } })).toMatchObject({
      allowed: false,
      reason: 'label env of db/orders is longer than 1024 characters',
    });
  });

  it('refuses to decide with a role it cannot read, rather than to leave it out', () => {
    expect(() => ask([reader, role('broken', {}, { dbLabels: { env: ['^(?=prod)$'] } })])).toThrow(RoleError);
  });
});

describe('the steps of a decision', () => {
  it('say what each role said, denials first, and survive JSON', () => {
    const roles = [
      reader,
      role('dev', { dbLabels: { env: ['dev'] } }),
      role('other', { dbLabels: everywhere, dbUsers: ['Other'] }),
      role('no', {}, { dbUsers: ['reader'] }),
    ];
    const decision = ask(roles);
    expect(decision.steps).toEqual([
      'no: denies by deny.db_users reader',
      'reader: allows by allow.db_labels *=* and allow.db_users Reader',
      'dev: allow.db_labels do not match',
      'other: allow.db_labels *=* match, allow.db_users do not name Reader',
      'no: allow.db_labels do not match',
    ]);
    expect(JSON.parse(JSON.stringify(decision))).toMatchObject({ allowed: false, steps: { length: 5 } });
  });
});

describe('allowedPrincipals', () => {
  const list = (roles: readonly Role[], labels = {}) =>
    allowedPrincipals(compileSubject({ user: 'alice', roles, traits: { db_users: ['Mine'] } }), { kind: 'db', name: 'orders', labels });

  it('lists what the roles that match name, without what any role denies', () => {
    const roles = [
      reader,
      role('mine', { dbLabels: everywhere, dbUsers: ['{{internal.db_users}}', 'Admin'] }),
      role('no', {}, { dbUsers: ['admin'] }),
    ];
    expect(list(roles)).toEqual({ allowed: ['Mine', 'Reader'], denied: ['admin'] });
  });

  it('lists nothing for a resource that is denied or not matched', () => {
    expect(list([reader, role('no', {}, { dbLabels: { env: ['prod'] } })], { env: 'prod' }).allowed).toEqual([]);
    expect(list([role('other', { dbLabels: { env: ['dev'] }, dbUsers: ['*'] })], { env: 'prod' }).allowed).toEqual([]);
    expect(list([reader, role('no', {}, { dbUsers: ['*'] })]).allowed).toEqual([]);
  });
});
