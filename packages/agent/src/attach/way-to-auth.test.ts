import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WayToAuth } from '#attach/way-to-auth.ts';

describe('the way to auth', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function way(attached: boolean, spreadMs = 0, authSpreadMs = 0) {
    const at = { attached };
    const gone: string[] = [];
    const spread = { spreadMs: () => spreadMs, authSpreadMs: () => authSpreadMs };
    const open = new WayToAuth({ attached: () => at.attached, ...spread, nowMs: () => Date.now(), random: () => 0.25 });
    const go = (name: string) => void open.open().then(() => gone.push(name));
    const turn = () => vi.advanceTimersByTimeAsync(0);
    return { at, gone, open, go, turn };
  }

  it('is open while a tunnel stands', async () => {
    const { gone, go, turn } = way(true);
    go('watch');
    await turn();
    expect(gone).toEqual(['watch']);
  });

  it('opens for all who wait when one stands again, and not before', async () => {
    const { at, gone, go, open, turn } = way(false);
    go('watch');
    go('announcement');
    open.changed();
    await vi.advanceTimersByTimeAsync(29_000);
    expect(gone).toEqual([]);
    at.attached = true;
    open.changed();
    await turn();
    expect(gone).toEqual(['watch', 'announcement']);
  });

  it('leaves the others of the proxy their time, whoever is back before and whoever comes to wait', async () => {
    const { at, gone, go, open, turn } = way(true, 20_000 / 1.5);
    open.changed();
    at.attached = false;
    open.changed();
    go('watch');
    await vi.advanceTimersByTimeAsync(5_000);
    at.attached = true;
    open.changed();
    go('announcement');
    await vi.advanceTimersByTimeAsync(14_999);
    expect(gone).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(gone).toEqual(['watch', 'announcement']);
    // Who was the last of all goes on at once.
    go('later');
    await turn();
    expect(gone).toContain('later');
  });

  it('counts the time from the loss, not from the tries that failed after it', async () => {
    const { at, gone, go, open } = way(true, 20_000 / 1.5);
    open.changed();
    at.attached = false;
    open.changed();
    await vi.advanceTimersByTimeAsync(19_000);
    open.changed();
    at.attached = true;
    open.changed();
    go('watch');
    await vi.advanceTimersByTimeAsync(1_000);
    expect(gone).toEqual(['watch']);
  });

  it('opens for each agent at a moment of its own, for all that it wants of auth', async () => {
    const { at, gone, go, open } = way(true, 20_000 / 1.5, 8_000);
    open.changed();
    at.attached = false;
    open.changed();
    at.attached = true;
    open.changed();
    go('watch');
    go('events');
    await vi.advanceTimersByTimeAsync(21_999);
    expect(gone).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(gone).toEqual(['watch', 'events']);
  });

  it('does not begin anew for a tunnel that comes and goes, or auth would never be reached', async () => {
    const { at, gone, go, open } = way(true, 20_000 / 1.5);
    open.changed();
    go('before');
    for (let lost = 0; lost < 4; lost += 1) {
      at.attached = false;
      open.changed();
      if (lost === 0) go('watch');
      await vi.advanceTimersByTimeAsync(3_000);
      at.attached = true;
      open.changed();
      await vi.advanceTimersByTimeAsync(3_000);
    }
    expect(gone).toEqual(['before', 'watch']);
  });

  it('holds nobody back once it is stopped', async () => {
    const { gone, go, open, turn } = way(false);
    go('watch');
    open.stop();
    go('announcement');
    await turn();
    expect(gone).toEqual(['watch', 'announcement']);
  });

  it('opens after a while without one: auth may be there where no proxy takes a tunnel', async () => {
    const { gone, go, open } = way(false);
    go('watch');
    expect(open.waiting).toBe(1);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(gone).toEqual(['watch']);
    // Nothing is left of one that has gone, however long the outage is.
    expect(open.waiting).toBe(0);
  });
});
