import { limits } from '@postern/limits';
import { describe, expect, it } from 'vitest';
import { type WebSession, WebSessions } from '#browser/web-sessions.ts';

const session = (user: string, endsMs = 10_000): WebSession => ({ user, roles: [], certificatePem: '', privateKeyPem: '', endsMs });

describe('web sessions', () => {
  it('are found by a cookie of 256 random bits, and by no other text', () => {
    const sessions = new WebSessions({ nowMs: () => 0 });
    const cookie = sessions.open(session('alice'));
    expect(Buffer.from(cookie, 'base64url')).toHaveLength(32);
    expect(sessions.open(session('alice'))).not.toBe(cookie);
    expect(sessions.find(cookie)?.user).toBe('alice');
    for (const other of ['', 'x', cookie.slice(1), `${cookie} `, cookie.toUpperCase(), '__proto__'])
      expect(sessions.find(other)).toBeUndefined();
  });

  it('end with the certificate, with sign-out, and where somebody says so', () => {
    let nowMs = 0;
    const sessions = new WebSessions({ nowMs: () => nowMs });
    const [alice, bob, carol] = [sessions.open(session('alice', 100)), sessions.open(session('bob')), sessions.open(session('carol'))];
    sessions.end(bob);
    sessions.endWhere(({ user }) => user === 'carol');
    expect([alice, bob, carol].map((cookie) => sessions.find(cookie)?.user)).toEqual(['alice', undefined, undefined]);
    nowMs = 99;
    expect(sessions.find(alice)).toBeDefined();
    nowMs = 100;
    expect(sessions.find(alice)).toBeUndefined();
    expect(sessions.size).toBe(0);
  });

  it('of one person are so many, and the oldest gives way to one more [limit webSessionsPerUser]', () => {
    const sessions = new WebSessions({ nowMs: () => 0 });
    const bob = sessions.open(session('bob'));
    const cookies = Array.from({ length: limits.webSessionsPerUser }, () => sessions.open(session('alice')));
    expect(cookies.every((cookie) => sessions.find(cookie) !== undefined)).toBe(true);
    cookies.push(sessions.open(session('alice')));
    expect(cookies.map((cookie) => sessions.find(cookie) !== undefined)).toEqual([false, ...cookies.slice(1).map(() => true)]);
    expect(sessions.find(bob)).toBeDefined();
  });

  it('are so many in all, and one more is refused rather than another ended, until one is over [limit webSessions]', () => {
    let nowMs = 0;
    const sessions = new WebSessions({ nowMs: () => nowMs });
    const first = sessions.open(session('user-0', 50));
    for (let n = 1; n < limits.webSessions; n++) sessions.open(session(`user-${n}`));
    expect(sessions.size).toBe(limits.webSessions);
    expect(() => sessions.open(session('one-more'))).toThrow('too many people are signed in');
    expect(sessions.find(first)).toBeDefined();
    nowMs = 50;
    expect(sessions.find(sessions.open(session('one-more')))?.user).toBe('one-more');
  });
});
