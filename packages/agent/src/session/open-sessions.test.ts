import { type Identity, Identity_Kind } from '@postern/api';
import { limits } from '@postern/limits';
import type { GrpcConnection } from '@postern/tunnel';
import { describe, expect, it } from 'vitest';
import type { Standing } from '#authorise/authorizer.ts';
import { OpenSessions } from '#session/open-sessions.ts';

const standing: Standing = { check: () => undefined } as unknown as Standing;
const identityOf = (name: string): Identity =>
  ({
    name,
    kind: Identity_Kind.SESSION,
    sessionId: 's',
    route: { resourceKind: 'app', resourceName: 'aws', principal: 'r' },
  }) as unknown as Identity;

/** The certificate is the name of its holder. */
const sessions = () =>
  new OpenSessions({
    resourceKind: 'app',
    verifyPeer: (der) => ({ identity: identityOf(der.toString()), serial: '1', notAfterMs: Number.MAX_SAFE_INTEGER }),
    standingOf: () => standing,
    serves: () => true,
    onStart: () => undefined,
    onEnd: () => undefined,
    onRefused: () => undefined,
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
