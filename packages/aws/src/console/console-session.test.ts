import { describe, expect, test } from 'vitest';
import { consoleSession } from '#console/console-session.ts';

const session = (remainingSeconds: number, given: { readonly temporary?: boolean; readonly maxSeconds?: number } = {}) =>
  consoleSession({
    remainingSeconds,
    agentCredentialsAreTemporary: given.temporary ?? false,
    ...(given.maxSeconds !== undefined && { maxSeconds: given.maxSeconds }),
  });

describe('consoleSession', () => {
  test('with long-lived keys of the agent a console session lasts as long as the certificate, twelve hours at most', () => {
    expect(session(7 * 3600)).toEqual({ assumeRoleSeconds: 3600, sessionSeconds: 7 * 3600 });
    expect(session(1800)).toEqual({ assumeRoleSeconds: 1800, sessionSeconds: 1800 });
    expect(session(50_000)).toEqual({ assumeRoleSeconds: 3600, sessionSeconds: 43_200 });
    expect(session(7 * 3600, { maxSeconds: 7200 })).toEqual({ assumeRoleSeconds: 3600, sessionSeconds: 7200 });
  });

  test('with temporary ones an hour at most, and no SessionDuration, which AWS refuses there', () => {
    expect(session(7 * 3600, { temporary: true })).toEqual({ assumeRoleSeconds: 3600 });
    expect(session(1000.9, { temporary: true })).toEqual({ assumeRoleSeconds: 1000 });
  });

  test.each([true, false])('900 s are enough, 899 are not, and both times are said (temporary: %s)', (temporary) => {
    expect(session(900, { temporary })).toMatchObject({ assumeRoleSeconds: 900 });
    expect(session(899, { temporary })).toEqual({
      refusal: 'a console session lasts 15 min at least, and your session ends in 14 min 59 s: sign in again with tsh login',
    });
  });

  test('what an administrator allows may be too little as well, and time that cannot be told is none', () => {
    expect(session(7200, { maxSeconds: 600 })).toEqual({
      refusal: 'a console session lasts 15 min at least, and the application allows a console session of 10 min',
    });
    expect(session(Number.NaN)).toHaveProperty('refusal');
  });
});
