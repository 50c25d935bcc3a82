import { PosternError } from '@postern/api/errors';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { untilStopped } from '#sessions/until-stopped.ts';
import { credentials, profile, somebody } from '#testing/somebody.ts';

const MINUTE_MS = 60_000;
const who = somebody();
let notices: string[];
let over: PosternError | undefined;
beforeEach(() => {
  vi.useFakeTimers();
  [notices, over] = [[], undefined];
});
afterEach(() => {
  vi.useRealTimers();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(signal);
});

/** How it ended, once it has. */
function watched(leftMs: number): { readonly end: () => unknown } {
  let end: unknown;
  const login = { ...who(), profile: { ...profile, validUntilMs: Date.now() + leftMs } };
  void untilStopped(login, { loggedOut: () => over, notice: (line) => notices.push(line) }).then(
    () => (end = 'stopped'),
    (error: unknown) => (end = error),
  );
  return { end: () => end };
}

describe('a local door that waits for its end', () => {
  it('says five minutes before that the login ends, once, and ends with it', async () => {
    const { end } = watched(60 * MINUTE_MS);
    await vi.advanceTimersByTimeAsync(55 * MINUTE_MS - 2_000);
    expect(notices).toEqual([]);
    await vi.advanceTimersByTimeAsync(2_000);
    const line = 'the login of alice ends in 5m0s, and this stops with it: then run tsh login --proxy=a:443 --user=alice';
    expect(notices).toEqual([line]);
    await vi.advanceTimersByTimeAsync(5 * MINUTE_MS - 1_000);
    expect(end()).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(end()).toMatchObject({ code: 'expired' });
    expect(notices).toEqual([line]);
  });

  it('says so at its start where less is left', () => {
    watched(90_000);
    expect(notices).toEqual([expect.stringContaining('ends in 1m30s')]);
  });

  // It went on until the login would have ended, for whoever had the terminal.
  it('ends within a second of the logout, with its reason', async () => {
    const { end } = watched(60 * MINUTE_MS);
    await vi.advanceTimersByTimeAsync(10_000);
    over = new PosternError('unauthenticated', 'alice was logged out');
    await vi.advanceTimersByTimeAsync(1_000);
    expect(end()).toBe(over);
  });
});

describe('a sign-in', () => {
  it('is there from its login to its logout, and for its own user alone', () => {
    const { store } = who();
    expect(store.has(profile)).toBe(false);
    store.save(profile, credentials);
    store.save(profile, credentials);
    expect(store.has(profile)).toBe(true);
    // Logged out and in again between two looks.
    store.save({ ...profile, sinceMs: 2 }, credentials);
    expect(store.has(profile)).toBe(false);
    store.save({ ...profile, user: 'bob' }, credentials);
    expect(store.has(profile)).toBe(false);
    store.remove({ ...profile, user: 'bob' });
    expect(store.has({ ...profile, user: 'bob' })).toBe(false);
  });
});
