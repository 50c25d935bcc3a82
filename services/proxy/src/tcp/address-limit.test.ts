import { describe, expect, it } from 'vitest';
import { AddressLimit } from '#tcp/address-limit.ts';
import { doorOf } from '#tcp/doors.ts';
import { splitAddress } from '#tcp/split-address.ts';

describe('the limit of connections of one address', () => {
  const closed: string[] = [];
  const at = (nowMs: number, name = '') => ({ nowMs, close: () => void closed.push(name) });

  it('refuses one too many, and lets another in when one has left, once for each', () => {
    const limit = new AddressLimit(2);
    const [first] = [limit.admit('192.0.2.1', at(0)), limit.admit('192.0.2.1', at(0))];
    expect(limit.admit('192.0.2.1', at(0))).toBeUndefined();
    expect(limit.admit('192.0.2.2', at(0))).toBeDefined();
    first?.release();
    first?.release();
    expect(limit.admit('192.0.2.1', at(0))).toBeDefined();
    expect(limit.admit('192.0.2.1', at(0))).toBeUndefined();
  });

  // Two hundred silent connections kept everybody behind one address from signing in, for as long as they were opened anew.
  it('has the oldest silent connection give way, then the oldest that is slow, and none that is young', () => {
    closed.length = 0;
    const limit = new AddressLimit(3);
    limit.admit('192.0.2.1', at(0, 'slow'))?.greeted();
    limit.admit('192.0.2.1', at(100, 'silent'));
    limit.admit('192.0.2.1', at(200, 'quick'))?.greeted();
    expect(limit.admit('192.0.2.1', at(599))).toBeUndefined();
    limit.admit('192.0.2.1', at(600, 'new'))?.greeted();
    expect(closed).toEqual(['silent']);
    expect(limit.admit('192.0.2.1', at(2_999))).toBeUndefined();
    expect(limit.admit('192.0.2.1', at(3_000))).toBeDefined();
    expect(closed).toEqual(['silent', 'slow']);
  });

  it('counts IPv6 by its /64', () => {
    const limit = new AddressLimit(1);
    expect(limit.admit('2001:db8:1:2:3:4:5:6', at(0))).toBeDefined();
    expect(limit.admit('2001:db8:1:2::1', at(0))).toBeUndefined();
    expect(limit.admit('2001:db8:1:3::1', at(0))).toBeDefined();
  });
});

describe('the doors', () => {
  it.each([
    [undefined, { kind: 'web' }],
    ['proxy.example', { kind: 'web' }],
    ['postern.internal', { kind: 'web' }],
    ['xauth.postern.internal', { kind: 'web' }],
    ['auth.postern.internal', { kind: 'auth' }],
    ['auth.postern.internal.evil.example', { kind: 'web' }],
    ['tunnel.postern.internal', { kind: 'tunnel' }],
    ['abc.session.postern.internal', { kind: 'session', ticket: 'abc' }],
    ['0af1.line.postern.internal', { kind: 'line', name: '0af1' }],
    ['line.postern.internal', { kind: 'web' }],
    ['a.b.session.postern.internal', { kind: 'session', ticket: 'a.b' }],
    ['169.254.169.254', { kind: 'web' }],
  ])('send %s where it belongs', (name, door) => {
    expect(doorOf(name)).toEqual(door);
  });

  it('know an address of auth from the configuration, and name what is none', () => {
    expect(splitAddress('auth.example:3025')).toEqual({ host: 'auth.example', port: 3025 });
    expect(splitAddress('[::1]:3025')).toEqual({ host: '::1', port: 3025 });
    for (const bad of ['auth.example', 'auth.example:0', 'auth.example:70000', '::1:3025', '', 'a b:1'])
      expect(() => splitAddress(bad)).toThrow(/is not an address: write host:port/);
  });
});
