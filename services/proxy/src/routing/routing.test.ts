import { randomBytes } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { PosternError } from '@postern/api';
import { makeTicket, resourceId } from '@postern/pki';
import type { DialOptions } from '@postern/tunnel';
import { describe, expect, it } from 'vitest';
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
  }) {
    const routeKeys = new RouteKeys(() => start);
    routeKeys.replace({ keys: [{ key, notAfterMs: start + HOUR_MS }] });
    const directory = new AgentDirectory({ nowMs: () => start, random: () => 0.5 });
    directory.replace([server('a', '1'), server('a', '2'), server('a', '3')]);
    const tunnels = { attachedAgents: () => [...options.attached], dial: options.dial };
    return { routeKeys, directory, tunnels, isLocked: (id: string) => id === options.locked };
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
