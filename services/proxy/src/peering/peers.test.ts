import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { Peers, type PeersOptions } from '#peering/peers.ts';
import { readProxyEntry } from '#peering/proxy-entry.ts';

describe('an entry of auth for a proxy', () => {
  const entry = (spec: object, kind = 'proxy') => readProxyEntry({ kind, version: 'v2', metadata: { name: 'p1' }, spec });

  it('gives its own address before the one it may share, and nothing where there is neither', () => {
    expect(entry({ own_addr: '10.0.0.1:443', public_addr: 'proxy.example:443' })).toEqual({ proxyId: 'p1', address: '10.0.0.1:443' });
    expect(entry({ own_addr: '', public_addr: '[2001:db8::1]:3080' })).toEqual({ proxyId: 'p1', address: '[2001:db8::1]:3080' });
    expect(entry({})).toBeUndefined();
  });

  it('is passed over where it is not one, or where its address is anything but a host and a port', () => {
    expect(entry({ own_addr: 'a:1' }, 'node')).toBeUndefined();
    for (const own_addr of ['unix:/run/x.sock', 'dns:///evil:1', 'a', 'a:', ':1', 'a:b', 'a:1/x', 'a:1\n', 'a b:1', 7, null])
      expect(entry({ own_addr })).toBeUndefined();
    for (const value of [undefined, null, 7, 'x', [], {}, { kind: 'proxy' }, { kind: 'proxy', metadata: { name: '' }, spec: {} }])
      expect(readProxyEntry(value)).toBeUndefined();
    fc.assert(
      fc.property(fc.anything(), (value) => {
        const read = readProxyEntry({ kind: 'proxy', metadata: { name: 'p1' }, spec: { own_addr: value } });
        return read === undefined || /^[^\s/]+:\d{1,5}$/.test(read.address);
      }),
    );
  });
});

describe('the set of other proxies', () => {
  const made: Peers[] = [];
  afterEach(async () => {
    for (const peers of made.splice(0)) await peers.stop();
  });
  function peersOf(over: Partial<PeersOptions> = {}): Peers {
    const identity = { certificatePem: '', privateKeyPem: '', hostCaPems: [], userCaPems: [] };
    const member = { hostId: 'self', cluster: 'c', current: () => identity, onRenewed: () => undefined, stop: () => undefined };
    // Nobody listens on port 1; a second attempt is far away.
    const tunnel = { backoff: { baseMs: 60_000, capMs: 60_000 } };
    const peers = new Peers({ member, nowMs: Date.now, tunnel, random: () => 0.5, ...over });
    made.push(peers);
    return peers;
  }
  const at = (proxyId: string, address = '127.0.0.1:1') => ({ proxyId, address });
  const names = (peers: Peers) => peers.routesTo(randomUUID()).map(({ proxyId }) => proxyId);

  it('has no way over itself, nor over one that cannot be reached, and tells of it once', async () => {
    const changes: string[] = [];
    const peers = peersOf({ onChange: ({ proxyId, state, reason }) => void changes.push(`${proxyId} ${state}: ${reason}`) });
    peers.replace([at('self'), at('b')]);
    expect(names(peers)).toEqual(['b']);
    await expect.poll(() => names(peers)).toEqual([]);
    peers.replace([at('self'), at('b')]);
    expect(changes).toEqual(['b lost: proxy b cannot be reached at 127.0.0.1:1: it does not answer (ECONNREFUSED)']);
  });

  it('begins anew where an address has changed, forgets what is gone, and takes nothing once it is stopped', async () => {
    const peers = peersOf();
    peers.replace([at('b')]);
    await expect.poll(() => names(peers)).toEqual([]);
    peers.replace([at('b', '127.0.0.1:2'), at('c')]);
    expect(names(peers).sort()).toEqual(['b', 'c']);
    peers.replace([at('c')]);
    expect(names(peers)).toEqual(['c']);
    await peers.stop();
    peers.replace([at('d')]);
    expect(names(peers)).toEqual([]);
  });
});
