import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Client } from '@grpc/grpc-js';
import { callStream, callUnary, type Identity, Identity_Kind, type Rule, services } from '@postern/api';
import { createAuthority, generateKey, issueCertificate } from '@postern/pki';
import {
  addToken,
  addUser,
  announce,
  certs,
  type Credential,
  joinAs,
  outcomeOf,
  PASSWORD,
  server,
  signInAs,
  startTestAuth,
  type TestAuth,
} from '#testing/test-auth.ts';

/**
 * Every method that auth serves, called by every kind of identity, against the table of rules: a method that is added
 * without a rule does not compile, and one whose rule is not obeyed fails here. "in" is any answer beyond the door.
 */
const served = ['join', 'login', 'certs', 'resources', 'tokens', 'users', 'presence', 'audit', 'access', 'status', 'routeKeys'] as const;

let test: TestAuth;
const credentials = new Map<string, { readonly credential: Credential | undefined; readonly kind: Identity_Kind | undefined }>();

beforeAll(async () => {
  test = await startTestAuth();
  await addUser(test, { name: 'low', roles: ['access'], traits: { db_users: ['Reader'] } });
  const low = await signInAs(test, 'low');
  const host = async (role: string, dbName = '') => joinAs(test, { token: await addToken(test, { roles: [role], dbName }), role });
  const dbAgent = await host('db', 'orders');
  await announce(test, dbAgent, [server('orders')]);
  const key = generateKey();
  const session = await callUnary(test.client(low), certs.definition.issueSessionCert, {
    resourceKind: 'db',
    resourceName: 'orders',
    principal: 'Reader',
    publicKey: key.publicKeyDer,
    ttlSeconds: 0,
  });
  credentials.set('nobody', { credential: undefined, kind: undefined });
  credentials.set('user', { credential: low, kind: Identity_Kind.USER });
  credentials.set('session', {
    credential: { certificatePem: session.certificatePem, privateKeyPem: key.privateKeyPem },
    kind: Identity_Kind.SESSION,
  });
  credentials.set('db agent', { credential: dbAgent, kind: Identity_Kind.DB_AGENT });
  credentials.set('app agent', { credential: await host('app'), kind: Identity_Kind.APP_AGENT });
  credentials.set('proxy', { credential: await host('proxy'), kind: Identity_Kind.PROXY });
  credentials.set('local administrator', { credential: test.admin, kind: Identity_Kind.ADMIN });
});
afterAll(() => test.stop());

interface AnyMethod {
  readonly path: string;
  readonly responseStream: boolean;
  readonly requestDeserialize: (bytes: Buffer) => unknown;
  readonly requestSerialize: (value: unknown) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => unknown;
}

/** 'door' where the caller was turned away by kind or for want of a certificate, 'in' for every other outcome. */
async function knock(client: Client, method: AnyMethod): Promise<'in' | 'door'> {
  const request = method.requestDeserialize(Buffer.alloc(0));
  const outcome = method.responseStream ? firstOf(client, method, request) : callUnary(client, method, request);
  return outcome.then(
    () => 'in' as const,
    (error: unknown) =>
      /may not call this method|certificate is needed/.test((error as Error).message) ? ('door' as const) : ('in' as const),
  );
}
async function firstOf(client: Client, method: AnyMethod, request: unknown): Promise<unknown> {
  const stop = new AbortController();
  const stream = callStream(client, method, request, { signal: stop.signal });
  const quiet = setTimeout(() => stop.abort(), 300);
  try {
    return await stream.next();
  } finally {
    clearTimeout(quiet);
    stop.abort();
  }
}
function mayEnter(rule: Rule, kind: Identity_Kind | undefined): boolean {
  return 'anyone' in rule || (kind !== undefined && rule.kinds.includes(kind));
}

describe('the matrix of methods and identities', () => {
  for (const serviceName of served) {
    const { definition, rules } = services[serviceName] as unknown as {
      definition: Record<string, AnyMethod>;
      rules: Record<string, Rule>;
    };
    for (const [methodName, method] of Object.entries(definition)) {
      it(`${serviceName}.${methodName} lets in exactly whom its rule names`, async () => {
        for (const [name, { credential, kind }] of credentials) {
          const rule = rules[methodName];
          if (rule === undefined) throw new Error(`${serviceName}.${methodName} has no rule`);
          expect([name, await knock(test.client(credential), method)]).toEqual([name, mayEnter(rule, kind) ? 'in' : 'door']);
        }
      });
    }
  }
});

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
    const low = credentials.get('user')?.credential;
    if (low === undefined) throw new Error('no user');
    const nowMs = test.clock.now;
    const key = generateKey();
    const chain = {
      certificatePem: `${(await selfMade(key.publicKeyDer, nowMs)).certificatePem}${low.certificatePem}`,
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
  const low = () => test.client(credentials.get('user')?.credential);
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
