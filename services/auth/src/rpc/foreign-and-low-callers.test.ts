import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Client } from '@grpc/grpc-js';
import { callStream, callUnary, type Identity, Identity_Kind, services } from '@postern/api';
import { createAuthority, generateKey, issueCertificate } from '@postern/pki';
import {
  addToken,
  addUser,
  announce,
  type Credential,
  joinAs,
  outcomeOf,
  PASSWORD,
  server,
  signInAs,
  startTestAuth,
  type TestAuth,
} from '#testing/test-auth.ts';

let test: TestAuth;
let lowUser: Credential;

beforeAll(async () => {
  test = await startTestAuth();
  await addUser(test, { name: 'low', roles: ['access'], traits: { db_users: ['Reader'] } });
  lowUser = await signInAs(test, 'low');
  const agent = await joinAs(test, { token: await addToken(test, { roles: ['db'], dbName: 'orders' }), role: 'db' });
  await announce(test, agent, [server('orders')]);
});
afterAll(() => test.stop());

interface AnyMethod {
  readonly path: string;
  readonly responseStream: boolean;
  readonly requestDeserialize: (bytes: Buffer) => unknown;
  readonly requestSerialize: (value: unknown) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => unknown;
}

async function firstOf(client: Client, method: AnyMethod, request: unknown): Promise<unknown> {
  const stop = new AbortController();
  const stream = callStream(client, method, request, { signal: stop.signal });
  const quiet = setTimeout(() => stop.abort(), 10_000);
  try {
    return await stream.next();
  } finally {
    clearTimeout(quiet);
    stop.abort();
  }
}
describe('certificates that are not this cluster’s own', () => {
  const identity = (kind: Identity_Kind, cluster = 'test.example.com'): Identity => ({
    kind,
    name: 'admin',
    cluster,
    roles: ['editor'],
    traits: {},
    route: undefined,
    sessionId: '',
    secondFactor: false,
    generation: '',
  });
  const statusOf = (credential: Credential) =>
    outcomeOf(callUnary(test.client(credential), services.status.definition.getStatus, {}, { deadlineMs: 3000 }));

  it('get nowhere when another cluster of the same name issued them', async () => {
    const nowMs = test.clock.now;
    const twin = await createAuthority({ kind: 'user', cluster: 'test.example.com', nowMs });
    const key = generateKey();
    const issued = await issueCertificate({
      authority: twin,
      identity: identity(Identity_Kind.ADMIN),
      publicKey: key.publicKeyDer,
      notAfterMs: nowMs + 3_600_000,
      nowMs,
    });
    expect(await statusOf({ certificatePem: issued.certificatePem, privateKeyPem: key.privateKeyPem })).toBe('unavailable');
  });

  it('get nowhere when the key behind them is not theirs', async () => {
    const stolen = { certificatePem: test.admin.certificatePem, privateKeyPem: generateKey().privateKeyPem };
    expect(() => test.client(stolen)).toThrow(/key values mismatch/);
  });

  it('get nowhere when a signed-in user’s leaf plays the authority', async () => {
    const nowMs = test.clock.now;
    const key = generateKey();
    const chain = {
      certificatePem: `${(await selfMade(key.publicKeyDer, nowMs)).certificatePem}${lowUser.certificatePem}`,
      privateKeyPem: key.privateKeyPem,
    };
    expect(await statusOf(chain)).toBe('unavailable');
  });
  async function selfMade(publicKey: Buffer, nowMs: number) {
    const own = await createAuthority({ kind: 'user', cluster: 'test.example.com', nowMs });
    return issueCertificate({ authority: own, identity: identity(Identity_Kind.ADMIN), publicKey, notAfterMs: nowMs + 3_600_000, nowMs });
  }
});

describe('a low user', () => {
  const low = () => test.client(lowUser);
  const json = (resource: object) => Buffer.from(JSON.stringify(resource));
  const role = json({
    kind: 'role',
    version: 'v7',
    metadata: { name: 'mine' },
    spec: { allow: { rules: [{ resources: ['*'], verbs: ['*'] }] } },
  });

  it('administers nothing', async () => {
    const { resources, users, tokens, audit, access } = services;
    const acts = {
      'create role': callUnary(low(), resources.definition.createResource, { kind: 'role', json: role }),
      'put role': callUnary(low(), resources.definition.putResource, { kind: 'role', json: role }),
      'update role': callUnary(low(), resources.definition.updateResource, { kind: 'role', json: role }),
      'delete role': callUnary(low(), resources.definition.deleteResource, { kind: 'role', name: 'editor', withSecrets: false }),
      'create user': callUnary(low(), users.definition.createUser, { name: 'twin', roles: ['editor'], traits: {}, password: PASSWORD }),
      'take a role': callUnary(low(), users.definition.updateUser, { name: 'low', setRoles: ['editor'], setTraits: {} }),
      'reset a password': callUnary(low(), users.definition.resetPassword, { name: 'low', password: PASSWORD }),
      'add a token': callUnary(low(), tokens.definition.addToken, {
        roles: ['db'],
        value: '',
        ttlSeconds: 0,
        labels: {},
        dbName: '',
        dbProtocol: '',
        dbUri: '',
        appName: '',
        appUri: '',
        maxUses: 0,
      }),
      'list tokens': callUnary(low(), tokens.definition.listTokens, {}),
      'list locks': callUnary(low(), resources.definition.listResources, { kind: 'lock', withSecrets: false, pageSize: 0, pageToken: '' }),
      'verify the log': callUnary(low(), audit.definition.verifyLog, {}),
      'ask about others': callUnary(low(), access.definition.explainAccess, {
        user: 'admin',
        resourceKind: 'db',
        resourceName: 'orders',
        principal: '',
      }),
      'watch users': firstOf(low(), services.resources.definition.watchResources as unknown as AnyMethod, { kinds: ['user'] }),
      'read the log': firstOf(
        low(),
        audit.definition.queryEvents as unknown as AnyMethod,
        audit.definition.queryEvents.requestDeserialize(Buffer.alloc(0)),
      ),
    };
    for (const [act, call] of Object.entries(acts)) expect([act, await outcomeOf(call)]).toEqual([act, 'denied']);
  });

  it('sees himself and the roles he has, and of others no more than of what does not exist', async () => {
    const get = (kind: string, name: string) =>
      callUnary(low(), services.resources.definition.getResource, { kind, name, withSecrets: false });
    expect((await get('user', 'low')).name).toBe('low');
    expect((await get('role', 'access')).name).toBe('access');
    const text = async (name: string) => get('role', name).catch((error: Error) => error.message.replaceAll(name, 'X'));
    expect(await text('editor')).toBe(await text('nothing'));
  });
});
