import { randomBytes } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { PosternError } from '@postern/api';
import { makeTicket, resourceId } from '@postern/pki';
import type { DialOptions } from '@postern/tunnel';
import { describe, expect, it } from 'vitest';
import type { PeerRoute } from '#peering/peers.ts';
import { AgentDirectory } from '#routing/agent-directory.ts';
import { openSession } from '#routing/open-session.ts';
import { RouteKeys } from '#routing/route-keys.ts';
import { lockedHosts } from '#tunnels/locked-hosts.ts';

const HOUR_MS = 3_600_000;
const start = 1_800_000_000_000;
const server = (name: string, host_id: string, kind = 'db_server') => ({ kind, metadata: { name }, spec: { host_id } });

describe('route keys', () => {
  it('open a ticket of any key in force, and none of a key that has ended or was withdrawn', () => {
    let now = start;
    const keys = new RouteKeys(() => now);
    const [old, fresh] = [randomBytes(32), randomBytes(32)];
    const ticket = (key: Buffer) => makeTicket({ resourceId: resourceId('db', 'a'), expiresMs: start + 2 * HOUR_MS, key });
    expect([keys.present, keys.signingKey, keys.resourceOf(ticket(old))]).toEqual([false, undefined, undefined]);
    keys.replace({
      keys: [
        { key: old, notAfterMs: start + HOUR_MS },
        { key: fresh, notAfterMs: start + 3 * HOUR_MS },
      ],
    });
    expect(keys.resourceOf(ticket(old))).toEqual(resourceId('db', 'a'));
    expect(keys.signingKey).toEqual(fresh);
    now += HOUR_MS + 1;
    expect(keys.resourceOf(ticket(old))).toBeUndefined();
    expect(keys.resourceOf(ticket(fresh))).toEqual(resourceId('db', 'a'));
    keys.replace({ keys: [] });
    expect(keys.resourceOf(ticket(fresh))).toBeUndefined();
  });
});

describe('the directory of agents', () => {
  it('names every agent of a resource, evenly shuffled, and keeps kinds apart', () => {
    const directory = new AgentDirectory({ nowMs: () => start });
    directory.replace([server('a', '1'), server('a', '2'), server('b', '3'), server('a', '4', 'app_server')]);
    const firsts = Array.from({ length: 200 }, () => directory.agentsFor(resourceId('db', 'a'))[0]);
    expect(new Set(firsts)).toEqual(new Set(['1', '2']));
    expect(directory.agentsFor(resourceId('app', 'a'))).toEqual(['4']);
    expect(directory.agentsFor(resourceId('db', 'c'))).toEqual([]);
    directory.replace([]);
    expect(directory.agentsFor(resourceId('db', 'a'))).toEqual([]);
  });

  it('tries an agent that failed last, until it answers or half a minute has passed', () => {
    let now = start;
    const directory = new AgentDirectory({ nowMs: () => now });
    directory.replace([server('a', '1'), server('a', '2')]);
    const last = () => new Set(Array.from({ length: 50 }, () => directory.agentsFor(resourceId('db', 'a'))[1]));
    directory.reportFailure('1');
    expect(last()).toEqual(new Set(['1']));
    directory.reportSuccess('1');
    expect(last().size).toBe(2);
    directory.reportFailure('1');
    now += 30_001;
    expect(last().size).toBe(2);
  });
});

describe('opening a session', () => {
  const key = randomBytes(32);
  function routing(options: {
    readonly attached: readonly string[];
    readonly dial: (options: DialOptions) => Promise<PassThrough>;
    readonly locked?: string;
    /** By proxy: the agents that it has, or how it fails. */
    readonly elsewhere?: Readonly<Record<string, readonly string[] | 'silent'>>;
  }) {
    const routeKeys = new RouteKeys(() => start);
    routeKeys.replace({ keys: [{ key, notAfterMs: start + HOUR_MS }] });
    const directory = new AgentDirectory({ nowMs: () => start, random: () => 0.5 });
    directory.replace([server('a', '1'), server('a', '2'), server('a', '3')]);
    const tunnels = { attachedAgents: () => [...options.attached], dial: options.dial };
    const asked: string[] = [];
    const routesTo = (agentId: string): PeerRoute[] =>
      Object.entries(options.elsewhere ?? {}).map(([proxyId, has]) => ({
        proxyId,
        dial: async ({ signal }) => {
          asked.push(`${agentId}@${proxyId}`);
          if (has === 'silent') {
            await new Promise((resolve) => signal?.addEventListener('abort', resolve));
            throw new PosternError('unavailable', 'no answer');
          }
          if (!has.includes(agentId)) throw new PosternError('not_found', 'not attached there');
          return new PassThrough();
        },
      }));
    const peers = { routesTo, knows: (agentId: string) => agentId === '3' };
    return { routeKeys, directory, tunnels, peers, asked, isLocked: (id: string) => id === options.locked };
  }
  const request = () => ({
    ticket: makeTicket({ resourceId: resourceId('db', 'a'), expiresMs: start + HOUR_MS, key }),
    clientAddress: '192.0.2.1:5',
    head: Buffer.from('hello'),
    signal: new AbortController().signal,
  });

  it('passes over agents that are not attached here or locked, and hands on the head with the dial', async () => {
    const dialled: DialOptions[] = [];
    const dial = async (options: DialOptions) => {
      dialled.push(options);
      return new PassThrough();
    };
    const opened = await openSession(routing({ attached: ['2', '3', 'other'], locked: '2', dial }), request());
    expect(opened.agentId).toBe('3');
    expect(dialled).toMatchObject([{ agentId: '3', clientAddress: '192.0.2.1:5', head: Buffer.from('hello') }]);
  });

  it('tries the next when one fails, and says unavailable when all have', async () => {
    const tried: string[] = [];
    const dial = ({ agentId }: DialOptions) => {
      tried.push(agentId);
      return agentId === '3' ? Promise.resolve(new PassThrough()) : Promise.reject(new PosternError('unavailable', 'gone'));
    };
    expect((await openSession(routing({ attached: ['1', '2', '3'], dial }), request())).agentId).toBe('3');
    expect(tried).toEqual(['1', '2', '3']);
    await expect(openSession(routing({ attached: ['1', '2'], dial }), request())).rejects.toMatchObject({ code: 'unavailable' });
    await expect(openSession(routing({ attached: [], dial }), request())).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('asks other proxies only where no agent of the resource that is attached here answers, the one found lately first', async () => {
    const dial = ({ agentId }: DialOptions) =>
      agentId === '1' ? Promise.resolve(new PassThrough()) : Promise.reject(new PosternError('unavailable', 'gone'));
    const here = routing({ attached: ['1', '2'], dial, elsewhere: { b: ['3'] } });
    expect(await openSession(here, request())).toMatchObject({ agentId: '1' });
    expect(here.asked).toEqual([]);
    const failing = routing({ attached: ['2'], dial, elsewhere: { b: [], c: ['3'] } });
    expect(await openSession(failing, request())).toMatchObject({ agentId: '3', viaProxyId: 'c' });
    expect(failing.asked).toEqual(['3@b', '3@c']);
    const nowhere = routing({ attached: [], dial, elsewhere: { b: [] }, locked: '2' });
    await expect(openSession(nowhere, request())).rejects.toMatchObject({
      code: 'unavailable',
      message: 'no agent that serves this resource is attached to this proxy or to one that it reaches',
    });
    expect(nowhere.asked).toEqual(['3@b', '1@b']);
  });

  it('asks a proxy that does not answer once, and the others after it within the time', async () => {
    const dial = () => Promise.reject(new PosternError('unavailable', 'gone'));
    const beganMs = performance.now();
    const r = routing({ attached: [], dial, elsewhere: { hung: 'silent', c: ['2'] } });
    expect(await openSession(r, request())).toMatchObject({ agentId: '2', viaProxyId: 'c' });
    expect(r.asked).toEqual(['3@hung', '3@c', '1@c', '2@c']);
    expect(performance.now() - beganMs).toBeLessThan(3_000);
  });
});

describe('locks on hosts', () => {
  const lock = (target: Record<string, string>, expires?: string) => ({ spec: { target, ...(expires ? { expires } : {}) } });
  it('count by server_id or its old name while they last, and not where a person is named as well', () => {
    const ids = lockedHosts(
      [
        lock({ server_id: 'a' }),
        lock({ node: 'b' }),
        lock({ server_id: 'c' }, new Date(start - 1).toISOString()),
        lock({ server_id: 'd' }, new Date(start + 1).toISOString()),
        lock({ server_id: 'e', user: 'alice' }),
        lock({ user: 'f' }),
        lock({ server_id: 'g', node: 'h' }),
        lock({}),
      ],
      start,
    );
    expect([...ids].sort()).toEqual(['a', 'b', 'd']);
  });
});
