import { type Identity, Identity_Kind } from '@postern/api';
import { limits } from '@postern/limits';
import type { GrpcConnection } from '@postern/tunnel';
import { describe, expect, it } from 'vitest';
import type { Refused, Standing } from '#authorise/authorizer.ts';
import { Permit } from '#authorise/permit.ts';
import type { LiveSession } from '#session/live-session.ts';
import { OpenSessions, type OpenSessionsOptions } from '#session/open-sessions.ts';

const standing: Standing = { check: () => undefined } as unknown as Standing;
const identityOf = (name: string): Identity =>
  ({
    name,
    kind: Identity_Kind.SESSION,
    sessionId: 's',
    route: { resourceKind: 'app', resourceName: 'aws', principal: 'r' },
  }) as unknown as Identity;

/** The certificate is the name of its holder. */
const sessions = (more: Partial<OpenSessionsOptions> = {}) =>
  new OpenSessions({
    resourceKind: 'app',
    verifyPeer: (der) => ({ identity: identityOf(der.toString()), serial: '1', notAfterMs: Number.MAX_SAFE_INTEGER }),
    standingOf: () => standing,
    serves: () => true,
    rulesVersion: () => 1,
    placeOf: (session) => session,
    onStart: () => undefined,
    onEnd: () => undefined,
    onRefused: () => undefined,
    ...more,
  });

function connectionOf(user: string): GrpcConnection & { close(): void } {
  const listeners: (() => void)[] = [];
  return {
    certificateDer: Buffer.from(user),
    remoteAddress: '192.0.2.1:1',
    destroy: () => undefined,
    onClose: (listener) => void listeners.push(listener),
    close: () => listeners.forEach((listener) => listener()),
  };
}

describe('connections of one person', () => {
  it('are as many as the table says, one more is refused in words, and others are not kept out [limit sessionConnectionsPerUser]', () => {
    const open = sessions();
    const alices = Array.from({ length: limits.sessionConnectionsPerUser }, () => connectionOf('alice'));
    expect(alices.every((connection) => open.admit(connection) === true)).toBe(true);
    expect(open.admit(connectionOf('alice'))).toMatchObject({
      code: 'limit_exceeded',
      message: expect.stringContaining('close some') as unknown,
    });
    expect(open.admit(connectionOf('bob'))).toBe(true);
    alices[0]?.close();
    expect(open.admit(connectionOf('alice'))).toBe(true);
    expect(open.admit(connectionOf('alice'))).toMatchObject({ code: 'limit_exceeded' });
  });
});

describe('a session whose last connection closes', () => {
  it('was ended by what would have ended it at the next look, and by its client otherwise', () => {
    let stopped: Refused | undefined;
    const ended: (string | undefined)[] = [];
    const standingNow: Standing = { check: () => stopped } as unknown as Standing;
    const open = sessions({ standingOf: () => standingNow, onEnd: ({ endedBy }) => void ended.push(endedBy?.cause) });
    const [alice, bob] = [connectionOf('alice'), connectionOf('bob')];
    for (const connection of [alice, bob]) expect(open.admit(connection)).toBe(true);
    alice.close();
    stopped = { allowed: false, cause: 'expired', reason: 'the certificate has expired' };
    bob.close();
    expect(ended).toEqual([undefined, 'expired']);
  });
});

describe('what is under way', () => {
  const denied: Refused = { allowed: false, cause: 'rule', reason: 'denied by role dev' };
  let rules = 1;
  let place: object = {};
  let started: LiveSession[] = [];
  const opened = (names: readonly string[], more: Partial<OpenSessionsOptions> = {}) => {
    started = [];
    const open = sessions({ rulesVersion: () => rules, placeOf: () => place, onStart: (session) => started.push(session), ...more });
    for (const name of names) open.admit(connectionOf(name));
    return open;
  };
  const nobody = () => expect.fail('nobody came');

  it('is decided anew when the rules or the place have changed, and at no other look', () => {
    const open = opened(['alice']);
    const [alice = nobody()] = started;
    let decisions = 0;
    const permit = new Permit(() => void (decisions += 1));
    alice.enter(permit);
    const looks = [() => undefined, () => undefined, () => (rules += 1), () => undefined, () => (place = {}), () => undefined];
    const counts = looks.map((change) => {
      change();
      open.sweep();
      return decisions;
    });
    expect(counts).toEqual([1, 1, 2, 2, 3, 3]);
    alice.leave(permit);
    rules += 1;
    open.sweep();
    expect(decisions).toBe(3);
  });

  it('is cut where it is refused now, and the others go on, also where one cannot be decided', () => {
    const cuts: string[] = [];
    const open = opened(['alice', 'bob', 'carol']);
    const decide: (() => Refused | undefined)[] = [() => nobody(), () => denied, () => undefined];
    for (const [at, session] of started.entries()) {
      const permit = new Permit(() => decide[at]?.());
      permit.onCut(({ reason }) => cuts.push(`${session.user}: ${reason}`));
      session.enter(permit);
    }
    open.sweep();
    expect(cuts).toEqual([expect.stringMatching(/^alice: .*cannot be decided/), 'bob: denied by role dev']);
    expect(started.map(({ endedBy }) => endedBy)).toEqual([undefined, undefined, undefined]);
  });

  it('of a session that nobody can decide about ends with it, and the sessions behind it are looked at', () => {
    const failing = { check: () => nobody() } as unknown as Standing;
    const locked = { check: () => denied } as unknown as Standing;
    let healthy = true;
    const open = opened(['alice', 'bob'], {
      standingOf: ({ identity }) => ({
        ...standing,
        check: () => (healthy ? standing : identity.name === 'alice' ? failing : locked).check(),
      }),
    });
    healthy = false;
    open.sweep();
    expect(started.map(({ endedBy }) => endedBy?.reason)).toEqual([expect.stringMatching(/cannot be decided/), denied.reason]);
  });
});
