import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { generateKey } from '@postern/pki';
import { openSqliteStore, type Store } from '@postern/store';
import type { Person } from '#administration/person.ts';
import type { AuditLog } from '#audit/audit-log.ts';
import { openAuthorities } from '#authorities/open-authorities.ts';
import { joinHost } from '#join/join-host.ts';
import { JoinLimits } from '#join/join-limits.ts';
import { PasswordHasher } from '#login/password-hash.ts';
import { SignInLimits, signIn } from '#login/sign-in.ts';
import { firstResources } from '#resources/first-resources.ts';
import { deleteResource } from '#resources/delete-resource.ts';
import { openShelves } from '#resources/shelves.ts';
import { writeResource } from '#resources/write-resource.ts';
import { RoleLoader } from '#roles/load-roles.ts';
import { addToken } from '#tokens/add-token.ts';
import { AuditTrail } from '#trail/audit-trail.ts';
import { createUser } from '#users/create-user.ts';
import { resetPassword } from '#users/reset-password.ts';
import { updateUser } from '#users/update-user.ts';

/** A log on a disk that can be full: what the real one does when a write fails, it refuses the whole call. */
class FillingLog implements AuditLog {
  isFull = false;
  readonly problems = [];
  stored = 0;
  async append(events: readonly unknown[]) {
    if (this.isFull) throw new Error('ENOSPC: no space left on device');
    this.stored += events.length;
    return { stored: events.length, duplicates: 0 };
  }
  async *query(): AsyncGenerator<string> {}
  async *tail(): AsyncGenerator<string> {}
  async verify() {
    return { ok: true, records: this.stored, segment: '', line: 0, reason: '', head: '' };
  }
  alarms() {
    return [];
  }
  refusing() {
    return undefined;
  }
  async close() {}
}

const nowMs = () => 1_800_000_000_000;
const PASSWORD = 'correct horse battery';
const admin: Person = { kind: 'admin', name: 'admin', address: '127.0.0.1' };
let dir: string;
let store: Store;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'postern-full-'));
  store = await openSqliteStore({ path: join(dir, 'state.sqlite'), nowMs });
});
afterEach(async () => {
  await store.close();
  rmSync(dir, { recursive: true });
});

async function parts() {
  const files = { sealKeyFile: join(dir, 'seal.key'), markerFile: join(dir, 'cluster.json') };
  const { authorities } = await openAuthorities({
    store,
    cluster: 'test.example.com',
    ...files,
    alsoCreate: () => firstResources(),
    nowMs,
  });
  const log = new FillingLog();
  const roles = new RoleLoader(store);
  return {
    log,
    store,
    authorities,
    roles,
    nowMs,
    trail: new AuditTrail({ log, hostId: 'auth', nowMs }),
    hasher: await PasswordHasher.create(),
    staticTokens: new Map(),
    defaultTtlMs: 3_600_000,
    shelves: openShelves({ store, roles, nowMs }),
  };
}
/** Everything in the store but the counters of failed sign-ins, which count against whoever tries. */
async function state(): Promise<string> {
  const entries = (
    await Promise.all(['users/', 'roles/', 'passwords/', 'tokens/', 'hosts/', 'locks/'].map((prefix) => store.list(prefix)))
  ).flat();
  return JSON.stringify(entries.filter(({ key }) => !key.startsWith('tokens/')).map(({ key, value }) => [key, value]));
}

describe('an audit log that cannot be written', () => {
  it('AU-01 refuses every act, which then has no effect, and lets it through once there is space', async () => {
    const deps = await parts();
    const publicKey = generateKey().publicKeyDer;
    await createUser(deps, { person: admin, name: 'alice', roles: ['access'], traits: {}, password: PASSWORD });
    const newToken = { roles: ['db'], value: '', ttlMs: 0, labels: {}, boundNames: [], maxUses: 0, createdBy: 'admin' };
    const { token } = await addToken(deps, newToken);
    const json = Buffer.from(JSON.stringify({ kind: 'role', version: 'v7', metadata: { name: 'r' }, spec: { allow: {} } }));
    const acts: Record<string, () => Promise<unknown>> = {
      'write a role': () => writeResource(deps, { person: admin, kind: 'role', mode: 'put', json }),
      'delete a role': () => deleteResource(deps, { person: admin, kind: 'role', name: 'auditor' }),
      'create a user': () => createUser(deps, { person: admin, name: 'bob', roles: ['access'], traits: {}, password: PASSWORD }),
      'change a user': () => updateUser(deps, { person: admin, name: 'alice', setRoles: ['editor'], setTraits: {} }),
      'set a password': () => resetPassword(deps, { person: admin, name: 'alice', password: 'another good password' }),
      'add a token': () => addToken(deps, newToken),
      join: () =>
        joinHost({ ...deps, limits: new JoinLimits() }, { token, role: 'db', nodeName: 'n', version: '', publicKey, address: 'a' }),
      'sign in': () =>
        signIn({ ...deps, limits: new SignInLimits() }, { user: 'alice', password: PASSWORD, publicKey, ttlMs: undefined, address: 'a' }),
    };
    const before = await state();
    const recorded = deps.log.stored;
    deps.log.isFull = true;
    for (const [name, act] of Object.entries(acts)) {
      const outcome = await act().catch((error: Error) => error.message);
      expect([name, outcome]).toEqual([name, 'audit unavailable: nothing is done that cannot be recorded']);
    }
    expect(await state()).toBe(before);
    deps.log.isFull = false;
    expect(deps.log.stored).toBe(recorded);
    await acts['sign in']?.();
    await acts['join']?.();
    await acts['change a user']?.();
  });
});
