import { afterEach, describe, expect, it } from 'vitest';
import { PosternError, type ResourceEvent, ResourceEvent_Type } from '@postern/api';
import {
  addToken,
  addUser,
  announce,
  callStream,
  callUnary,
  type Credential,
  joinAs,
  outcomeOf,
  presence,
  resources,
  routeKeys,
  server,
  signInAs,
  startTestAuth,
  type TestAuth,
} from '#testing/test-auth.ts';
import { mergeStreams } from '#watch/merge-streams.ts';

let test: TestAuth;
const stops: AbortController[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) stop.abort();
  await test?.stop();
});

function watch(who: Credential, kinds: string[]): AsyncGenerator<ResourceEvent> {
  const stop = new AbortController();
  stops.push(stop);
  return callStream(test.client(who), resources.definition.watchResources, { kinds }, { signal: stop.signal });
}
async function untilSynced(events: AsyncGenerator<ResourceEvent>): Promise<readonly ResourceEvent[]> {
  const seen: ResourceEvent[] = [];
  for (;;) {
    const { value } = await events.next();
    if (value === undefined || (value as ResourceEvent).type === ResourceEvent_Type.SYNCED) return seen;
    seen.push(value as ResourceEvent);
  }
}
async function put(resource: { readonly kind: string; readonly [field: string]: unknown }): Promise<void> {
  await callUnary(test.client(test.admin), resources.definition.putResource, {
    kind: resource.kind,
    json: Buffer.from(JSON.stringify(resource)),
  });
}
const hostOf = async (role: string, dbName = '') => joinAs(test, { token: await addToken(test, { roles: [role], dbName }), role });
const lock = (name: string, target: object) => ({ kind: 'lock', version: 'v2', metadata: { name }, spec: { target } });

describe('watching', () => {
  it('tells the state, then that it is told, then each change and removal in order', async () => {
    test = await startTestAuth();
    const events = watch(await hostOf('db'), ['role', 'lock', 'user', 'cert_authority']);
    const state = await untilSynced(events);
    expect(state.map(({ resource }) => `${resource?.kind}/${resource?.name}`).sort()).toEqual([
      'cert_authority/host',
      'cert_authority/user',
      'role/access',
      'role/auditor',
      'role/editor',
    ]);
    await put(lock('l1', { user: 'alice' }));
    expect((await events.next()).value).toMatchObject({ type: ResourceEvent_Type.PUT, resource: { kind: 'lock', name: 'l1' } });
    await callUnary(test.client(test.admin), resources.definition.deleteResource, { kind: 'lock', name: 'l1', withSecrets: false });
    expect((await events.next()).value).toMatchObject({ type: ResourceEvent_Type.DELETE, resource: { kind: 'lock', name: 'l1' } });
  });

  it('tells in what time all who watch are wanted back: the more of them there are, the longer', async () => {
    test = await startTestAuth();
    const agent = await hostOf('db');
    const syncedOf = async () => {
      for await (const event of watch(agent, ['lock'])) if (event.type === ResourceEvent_Type.SYNCED) return event;
      return expect.fail('the watch has ended');
    };
    const first = watch(agent, ['lock']);
    await untilSynced(first);
    const withOne = await syncedOf();
    const others = await Promise.all(Array.from({ length: 3 }, () => hostOf('db')));
    await Promise.all(others.map((other) => untilSynced(watch(other, ['lock']))));
    await expect.poll(async () => (await syncedOf()).spreadMs).toBe(4 * withOne.spreadMs);
    expect((await syncedOf()).quietMs).toBe(4 * withOne.quietMs);
    expect(withOne.spreadMs).toBeGreaterThan(0);
  });

  it('has nobody make the others wait: a host counts once with all its watches, and a person never', async () => {
    test = await startTestAuth();
    await addUser(test, { name: 'alice', roles: ['editor'] });
    const [agent, alice] = [await hostOf('db'), await signInAs(test, 'alice')];
    const toldMs: number[] = [];
    for (let i = 0; i < 10; i += 1) {
      for (const who of [agent, alice]) {
        const events = watch(who, ['lock']);
        for (let event: ResourceEvent | undefined; event?.type !== ResourceEvent_Type.SYNCED; ) {
          event = (await events.next()).value as ResourceEvent;
          if (event.type === ResourceEvent_Type.SYNCED) toldMs.push(event.spreadMs);
        }
      }
    }
    expect(toldMs).toHaveLength(20);
    expect(new Set(toldMs).size).toBe(1);
  });

  it('refuses a watch of nothing', async () => {
    test = await startTestAuth();
    const nothing = watch(await hostOf('db'), []);
    await expect(nothing.next()).rejects.toMatchObject({ code: 'bad_request' });
  });

  it('shows hosts of a user no more than name, generation and roles', async () => {
    test = await startTestAuth();
    await addUser(test, { name: 'alice', roles: ['access'], traits: { db_users: ['Secret'] } });
    const [event] = await untilSynced(watch(await hostOf('db'), ['user']));
    const body = JSON.parse(event?.resource?.json.toString() ?? '') as { metadata: object; spec: object };
    expect(body).toEqual({
      kind: 'user',
      version: 'v2',
      metadata: { name: 'alice', revision: event?.resource?.revision },
      spec: { generation: expect.stringMatching(/^[0-9a-f-]{36}$/) as unknown, roles: ['access'] },
    });
  });

  it('refuses hosts what their work does not need', async () => {
    test = await startTestAuth();
    const agent = await hostOf('db');
    for (const kind of ['token', 'db_server', 'app', 'cluster_auth_preference'])
      expect([kind, await outcomeOf(watch(agent, ['lock', kind]).next())]).toEqual([kind, 'denied']);
    expect(await outcomeOf(watch(agent, ['nothing']).next())).toBe('bad_request');
    const proxy = await hostOf('proxy');
    // A stolen proxy had everybody's roles and traits to read, and needs none of them.
    for (const kind of ['token', 'user', 'role', 'db'])
      expect([kind, await outcomeOf(watch(proxy, [kind]).next())]).toEqual([kind, 'denied']);
    expect(await outcomeOf(watch(proxy, ['db_server']).next())).toBe('ok');
  });

  it('shows proxies what is served, and nothing that was refused', async () => {
    test = await startTestAuth();
    const agent = await hostOf('db', 'orders');
    await announce(test, agent, [server('orders'), server('customers')]);
    const seen = await untilSynced(watch(await hostOf('proxy'), ['db_server']));
    expect(seen.map(({ resource }) => resource?.name)).toEqual([`orders/${agent.hostId}`]);
  });

  it('tells hosts nothing when others say again that they are there, and people until when they are', async () => {
    test = await startTestAuth();
    const proxy = await hostOf('proxy');
    const agent = await hostOf('db', 'orders');
    const version = { now: '1' };
    const say = async (atMs = 0) => {
      test.clock.now += atMs;
      await announce(test, agent, [server('orders')]);
      await callUnary(test.client(proxy), presence.definition.announceProxy, {
        publicAddress: 'proxy.example.com:443',
        ownAddress: '',
        version: version.now,
      });
    };
    await say();
    const kinds = ['db_server', 'proxy'];
    const [toHost, toPerson] = [watch(proxy, kinds), watch(test.admin, kinds)];
    const shown = async (state: Promise<readonly ResourceEvent[]>) =>
      (await state).map(({ resource }) => JSON.parse(resource?.json.toString() ?? '') as { metadata: { expires?: string } });
    expect((await shown(untilSynced(toHost))).map(({ metadata }) => metadata.expires)).toEqual([undefined, undefined]);
    const first = (await shown(untilSynced(toPerson))).map(({ metadata }) => Date.parse(metadata.expires ?? '') - test.clock.now);
    expect(first).toEqual([600_000, 600_000]);
    // Long enough that both are written again.
    await say(300_000);
    await say(300_000);
    version.now = '2';
    await say(1_000);
    const nextOf = async (events: AsyncGenerator<ResourceEvent>) => ((await events.next()).value as ResourceEvent).resource;
    const toldToHost = await nextOf(toHost);
    expect(toldToHost).toMatchObject({ kind: 'proxy' });
    expect(JSON.parse(toldToHost?.json.toString() ?? '')).toMatchObject({ spec: { version: '2' } });
    expect(new Set([(await nextOf(toPerson))?.kind, (await nextOf(toPerson))?.kind])).toEqual(new Set(kinds));
    // What is over is told, and what comes after that as well.
    await announce(test, agent, []);
    await announce(test, agent, [server('orders')]);
    expect((await toHost.next()).value).toMatchObject({ type: ResourceEvent_Type.DELETE, resource: { kind: 'db_server' } });
    expect((await toHost.next()).value).toMatchObject({ type: ResourceEvent_Type.PUT, resource: { kind: 'db_server' } });
    // So is what nobody says any more, though it was never told until when it holds.
    test.clock.now += 600_001;
    const over = [await toHost.next(), await toHost.next()].map(({ value }) => value as ResourceEvent);
    expect(over.map(({ type }) => type)).toEqual([ResourceEvent_Type.DELETE, ResourceEvent_Type.DELETE]);
    expect(new Set(over.map(({ resource }) => resource?.kind))).toEqual(new Set(kinds));
  });

  it('ends for a host that is locked in the middle, and is refused to it while the lock stands', async () => {
    test = await startTestAuth();
    const agent = await hostOf('db');
    const events = watch(agent, ['role']);
    await untilSynced(events);
    await put(lock('l1', { server_id: agent.hostId }));
    expect(await outcomeOf(events.next())).toBe('locked');
    expect(await outcomeOf(watch(agent, ['role']).next())).toBe('locked');
  });

  it('ends for a user who is locked, deleted or loses the right in the middle', async () => {
    test = await startTestAuth();
    for (const end of ['lock', 'delete', 'role']) {
      await addUser(test, { name: end, roles: ['editor', 'auditor'] });
      const events = watch(await signInAs(test, end), ['role']);
      await untilSynced(events);
      if (end === 'lock') await put(lock('l1', { user: end }));
      if (end === 'delete')
        await callUnary(test.client(test.admin), resources.definition.deleteResource, { kind: 'user', name: end, withSecrets: false });
      if (end === 'role') await put({ kind: 'user', version: 'v2', metadata: { name: end }, spec: { roles: ['auditor'] } });
      const expected = { lock: 'locked', delete: 'unauthenticated', role: 'denied' }[end];
      expect([end, await outcomeOf(events.next())]).toEqual([end, expected]);
    }
  });
});

describe('route keys', () => {
  it('are told to proxies', async () => {
    test = await startTestAuth();
    const sets = callStream(test.client(await hostOf('proxy')), routeKeys.definition.watchRouteKeys, {});
    const first = (await sets.next()).value;
    await sets.return(undefined);
    expect(first?.keys.map(({ key }: { key: Buffer }) => key.length)).toEqual([32]);
    expect(first?.keys[0]?.notAfterMs).toBeGreaterThan(test.clock.now + 54 * 3_600_000);
  });
});

describe('merging streams', () => {
  it('ends with what a guard throws, and stops the other sources', async () => {
    let isStopped = false;
    async function* endless(signal: AbortSignal): AsyncGenerator<number> {
      yield 1;
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      isStopped = true;
    }
    let refuse = () => {};
    // oxlint-disable-next-line require-yield -- a guard has nothing to say
    async function* guard(): AsyncGenerator<never> {
      await new Promise<void>((_resolve, reject) => (refuse = () => reject(new PosternError('locked', 'locked'))));
    }
    const merged = mergeStreams<number>([endless, guard], new AbortController().signal);
    expect((await merged.next()).value).toBe(1);
    const next = merged.next();
    refuse();
    await expect(next).rejects.toThrow('locked');
    await Promise.resolve();
    expect(isStopped).toBe(true);
  });

  it('asks a source for no more than its reader takes, and tells it when the reader leaves', async () => {
    let made = 0;
    let isStopped = false;
    async function* flood(): AsyncGenerator<number> {
      try {
        for (;;) yield made++;
      } finally {
        isStopped = true;
      }
    }
    const merged = mergeStreams<number>([flood, flood], new AbortController().signal);
    for (let read = 0; read < 100; read++) {
      await merged.next();
      await new Promise((resolve) => setImmediate(resolve));
      expect(made).toBeLessThanOrEqual(read + 3);
    }
    await merged.return(undefined);
    await new Promise((resolve) => setImmediate(resolve));
    expect(isStopped).toBe(true);
  });
});
