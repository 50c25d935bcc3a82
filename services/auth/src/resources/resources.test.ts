import { afterEach, describe, expect, it } from 'vitest';
import {
  addToken,
  addUser,
  auditRecords,
  callUnary,
  type Credential,
  joinAs,
  outcomeOf,
  PASSWORD,
  resources,
  signInAs,
  startTestAuth,
  type TestAuth,
  users,
} from '#testing/test-auth.ts';

let test: TestAuth;
afterEach(() => test.stop());

const json = (resource: object) => Buffer.from(JSON.stringify(resource));
const roleNamed = (name: string, more: object = {}) => ({
  kind: 'role',
  version: 'v7',
  metadata: { name, ...more },
  spec: { allow: { db_users: ['Reader'] } },
});
const write = (
  mode: 'createResource' | 'updateResource',
  resource: { readonly kind: string; readonly [field: string]: unknown },
  who: Credential = test.admin,
) => callUnary(test.client(who), resources.definition[mode], { kind: resource.kind, json: json(resource) });
const put = (resource: { readonly kind: string; readonly [field: string]: unknown }, who: Credential = test.admin) =>
  callUnary(test.client(who), resources.definition.putResource, { kind: resource.kind, json: json(resource) });
const get = (kind: string, name: string, who: Credential = test.admin) =>
  callUnary(test.client(who), resources.definition.getResource, { kind, name, withSecrets: false });
const remove = (kind: string, name: string, who: Credential = test.admin) =>
  callUnary(test.client(who), resources.definition.deleteResource, { kind, name, withSecrets: false });
const list = (kind: string, more: { pageSize?: number; pageToken?: string } = {}, who: Credential = test.admin) =>
  callUnary(test.client(who), resources.definition.listResources, {
    kind,
    withSecrets: false,
    pageSize: more.pageSize ?? 0,
    pageToken: more.pageToken ?? '',
  });

describe('resources', () => {
  it('begin with the preset roles and the one setting of the cluster', async () => {
    test = await startTestAuth();
    expect((await list('role')).resources.map(({ name }) => name)).toEqual(['access', 'auditor', 'editor']);
    const setting = await get('cluster_auth_preference', 'cluster-auth-preference');
    expect(JSON.parse(setting.json.toString())).toMatchObject({ spec: { second_factor: 'off' } });
  });

  it('are created once, replaced on demand, and updated only from the revision that was read', async () => {
    test = await startTestAuth();
    const created = await write('createResource', roleNamed('dev'));
    expect(await outcomeOf(write('createResource', roleNamed('dev')))).toBe('already_exists');
    expect((await put(roleNamed('dev'))).created).toBe(false);
    expect((await put(roleNamed('ops'))).created).toBe(true);
    expect(await outcomeOf(write('updateResource', roleNamed('dev', { revision: created.revision })))).toBe('conflict');
    const read = await get('role', 'dev');
    expect(JSON.parse(read.json.toString())).toMatchObject({ metadata: { revision: read.revision } });
    expect(await outcomeOf(write('updateResource', roleNamed('dev', { revision: read.revision })))).toBe('ok');
    expect(await outcomeOf(write('updateResource', roleNamed('none', { revision: read.revision })))).toBe('not_found');
    expect(await outcomeOf(write('updateResource', roleNamed('dev')))).toBe('bad_request');
  });

  it('RB-12 let exactly one of two writers of the same revision win, a hundred times over', async () => {
    test = await startTestAuth();
    await put(roleNamed('dev'));
    const clients = [test.client(test.admin), test.client(test.admin)];
    for (let round = 0; round < 100; round++) {
      const { revision } = await get('role', 'dev');
      const both = clients.map((client) =>
        outcomeOf(
          callUnary(client, resources.definition.putResource, {
            kind: 'role',
            json: json(roleNamed('dev', { revision, description: `${round}` })),
          }),
        ),
      );
      expect((await Promise.all(both)).sort()).toEqual(['conflict', 'ok']);
    }
  }, 60_000);

  it('refuse what they do not know, with the field and a suggestion, and change nothing', async () => {
    test = await startTestAuth();
    const typo = { ...roleNamed('dev'), spec: { allow: { db_labelz: { '*': '*' } } } };
    await expect(put(typo)).rejects.toThrow(/db_labelz.*did you mean db_labels/);
    const regex = { ...roleNamed('dev'), spec: { allow: { db_labels: { env: '^(a$' } } } };
    await expect(put(regex)).rejects.toThrow(/env/);
    await expect(put({ ...roleNamed('dev'), kind: 'user' })).rejects.toThrow();
    const raw = (text: string) =>
      outcomeOf(callUnary(test.client(test.admin), resources.definition.putResource, { kind: 'role', json: Buffer.from(text) }));
    expect(await raw('{')).toBe('bad_request');
    expect(await raw('null')).toBe('bad_request');
    expect(await outcomeOf(get('role', 'dev'))).toBe('not_found');
    for (const kind of ['cert_authority', 'db_server', 'nothing'])
      expect(await outcomeOf(callUnary(test.client(test.admin), resources.definition.putResource, { kind, json: json({}) }))).toBe(
        'bad_request',
      );
  });

  it('keep a role that a user has, and refuse a user a role that is not there', async () => {
    test = await startTestAuth();
    await put(roleNamed('dev'));
    await addUser(test, { name: 'alice', roles: ['dev'] });
    await expect(remove('role', 'dev')).rejects.toThrow(/role dev is in use by alice/);
    expect(await outcomeOf(addUser(test, { name: 'bob', roles: ['ghost'] }))).toBe('bad_request');
    expect(
      await outcomeOf(
        callUnary(test.client(test.admin), users.definition.updateUser, { name: 'alice', setRoles: ['ghost'], setTraits: {} }),
      ),
    ).toBe('bad_request');
    await remove('user', 'alice');
    await remove('role', 'dev');
    expect(await outcomeOf(remove('role', 'dev'))).toBe('not_found');
  });

  it('name the role that was probably meant, where one is near', async () => {
    test = await startTestAuth();
    const asked = (role: string) =>
      callUnary(test.client(test.admin), users.definition.createUser, { name: 'alice', roles: [role], traits: {}, password: PASSWORD });
    await expect(asked('acess')).rejects.toThrow('role acess is not found (did you mean access?): tctl get roles lists them');
    await expect(asked('ghost')).rejects.toThrow('role ghost is not found: tctl get roles lists them');
  });

  it('stop an administrator who would shut himself out', async () => {
    test = await startTestAuth();
    await addUser(test, { name: 'ed', roles: ['editor'] });
    const ed = await signInAs(test, 'ed');
    expect(await outcomeOf(remove('user', 'ed', ed))).toBe('bad_request');
    expect(
      await outcomeOf(callUnary(test.client(ed), users.definition.updateUser, { name: 'ed', setRoles: ['access'], setTraits: {} })),
    ).toBe('bad_request');
    expect(await outcomeOf(put({ ...roleNamed('editor') }, ed))).toBe('bad_request');
    const lock = { kind: 'lock', version: 'v2', metadata: { name: 'l1' }, spec: { target: { user: 'ed' } } };
    expect(await outcomeOf(put(lock, ed))).toBe('bad_request');
    expect(await outcomeOf(put({ ...lock, spec: { target: { user: 'other' } } }, ed))).toBe('ok');
  });

  it('give a file’s user no password of an earlier user of that name', async () => {
    test = await startTestAuth();
    await put({
      kind: 'user',
      version: 'v2',
      metadata: { name: 'temp', expires: new Date(test.clock.now + 60_000).toISOString() },
      spec: { roles: ['access'] },
    });
    await callUnary(test.client(test.admin), users.definition.resetPassword, { name: 'temp', password: PASSWORD });
    expect(await outcomeOf(signInAs(test, 'temp'))).toBe('ok');
    test.clock.now += 61_000;
    expect(await outcomeOf(signInAs(test, 'temp'))).toBe('unauthenticated');
    await put({ kind: 'user', version: 'v2', metadata: { name: 'temp' }, spec: { roles: ['access'] } });
    expect(await outcomeOf(signInAs(test, 'temp'))).toBe('unauthenticated');
  });

  it('RB-10 come in pages, and a page token that was edited or belongs to another list is refused', async () => {
    test = await startTestAuth();
    for (let i = 0; i < 7; i++) await put(roleNamed(`r${i}`));
    const names: string[] = [];
    let pageToken = '';
    let firstToken = '';
    do {
      const page = await list('role', { pageSize: 3, pageToken });
      names.push(...page.resources.map(({ name }) => name));
      pageToken = page.nextPageToken;
      firstToken ||= pageToken;
    } while (pageToken !== '');
    expect(names).toEqual(['access', 'auditor', 'editor', 'r0', 'r1', 'r2', 'r3', 'r4', 'r5', 'r6']);
    const [position, mac] = firstToken.split('.');
    for (const bad of [`${Buffer.from('1r5').toString('base64url')}.${mac}`, `${position}.AAAA`, `${position}`, 'x']) {
      expect(await outcomeOf(list('role', { pageSize: 3, pageToken: bad }))).toBe('bad_request');
    }
    expect(await outcomeOf(list('user', { pageSize: 3, pageToken: firstToken }))).toBe('bad_request');
    await addUser(test, { name: 'ed', roles: ['editor'] });
    expect(await outcomeOf(list('role', { pageSize: 3, pageToken: firstToken }, await signInAs(test, 'ed')))).toBe('bad_request');
  });

  it('show the authorities without their keys, and a token by its id', async () => {
    test = await startTestAuth();
    const { resources: authorities } = await list('cert_authority');
    expect(authorities.map(({ name }) => name)).toEqual(['host', 'user']);
    expect(JSON.stringify(authorities.map(({ json }) => json.toString()))).not.toMatch(/PRIVATE|sealed/);
    const secret = 'a-token-made-in-a-file-123';
    const token = {
      kind: 'token',
      version: 'v2',
      metadata: { name: secret, expires: new Date(test.clock.now + 600_000).toISOString() },
      spec: { roles: ['Db'], bound_names: { db: ['orders'] }, max_uses: 1 },
    };
    const shown = await write('createResource', token);
    expect(shown.name).not.toBe(secret);
    expect(JSON.stringify(await auditRecords(test))).not.toContain(secret);
    await expect(write('createResource', token)).rejects.toThrow(/^this token exists/);
    expect(await outcomeOf(joinAs(test, { token: secret, role: 'db' }))).toBe('ok');
    expect(await outcomeOf(joinAs(test, { token: secret, role: 'db' }))).toBe('denied');
  });

  it('leave a trace of each act, by name and code', async () => {
    test = await startTestAuth();
    await put(roleNamed('dev'));
    await put(roleNamed('dev'));
    await addUser(test, { name: 'alice', roles: ['dev'] });
    await put({ kind: 'lock', version: 'v2', metadata: { name: 'l1' }, spec: { target: { user: 'alice' } } });
    await remove('lock', 'l1');
    await remove('user', 'alice');
    await remove('role', 'dev');
    await addToken(test, { roles: ['db'] });
    const codes = (await auditRecords(test)).map(({ event, code, user }) => `${String(event)} ${String(code)} ${String(user)}`);
    expect(codes).toEqual([
      'role.created T9000I admin',
      'role.updated T9002I admin',
      'user.create T1002I admin',
      'lock.created TLK00I admin',
      'lock.deleted TLK01I admin',
      'user.delete T1004I admin',
      'role.deleted T9001I admin',
      'join_token.create TJT00I admin',
    ]);
  });
});
