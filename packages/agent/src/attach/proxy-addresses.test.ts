import { describe, expect, it } from 'vitest';
import { ProxyAddresses } from '#attach/proxy-addresses.ts';

const proxy = (name: string, spec: object) => ({ kind: 'proxy', name, revision: '1', json: { spec } });

describe('the proxies that an agent attaches to', () => {
  it('are those that auth lists where it joined at auth itself', () => {
    const addresses = new ProxyAddresses(undefined);
    addresses.put(proxy('p1', { public_addr: 'proxy.example:443', own_addr: '10.0.0.1:443' }));
    addresses.put(proxy('p2', { public_addr: 'proxy.example:443', own_addr: '10.0.0.2:443' }));
    expect(addresses.all([])).toEqual(['10.0.0.1:443', '10.0.0.2:443']);
    addresses.remove('p1');
    expect(addresses.all([])).toEqual(['10.0.0.2:443']);
  });

  it('are the configured one and the others, and none of them twice', () => {
    const addresses = new ProxyAddresses('proxy.example:443');
    addresses.put(proxy('p1', { public_addr: 'proxy.example:443', own_addr: '10.0.0.1:443' }));
    addresses.put(proxy('p2', { public_addr: 'proxy.example:443', own_addr: '10.0.0.2:443' }));
    expect(addresses.all([])).toEqual(['proxy.example:443']);
    expect(addresses.all([{ proxy: 'proxy.example:443', state: 'attached', proxyId: 'p2' }])).toEqual([
      'proxy.example:443',
      '10.0.0.1:443',
    ]);
    expect(addresses.all([{ proxy: 'proxy.example:443', state: 'connecting' }])).toEqual(['proxy.example:443', '10.0.0.1:443']);
  });

  it('are the listed ones too where the configured one does not answer', () => {
    const addresses = new ProxyAddresses('proxy.example:443');
    addresses.put(proxy('p1', { public_addr: 'other.example:443' }));
    expect(addresses.all([{ proxy: 'proxy.example:443', state: 'waiting', lastError: 'no' }])).toEqual([
      'proxy.example:443',
      'other.example:443',
    ]);
  });
});
