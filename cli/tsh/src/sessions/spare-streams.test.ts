import { once } from 'node:events';
import { type Duplex, duplexPair } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SpareStreams } from '#sessions/spare-streams.ts';

describe('spare streams', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => void vi.useRealTimers());
  const said = '8000';
  const pair = (): [Duplex, Duplex] => {
    const [near, far] = duplexPair();
    far.on('error', () => undefined);
    return [near, far];
  };

  it('are given out once, the last first, and only to who says the same of his connection', () => {
    const spares = new SpareStreams();
    const [[one], [two]] = [pair(), pair()];
    spares.keep(said, one);
    spares.keep(said, two);
    expect(spares.take('8001')).toBeUndefined();
    expect(spares.take(said)).toBe(two);
    expect(spares.take(said)).toBe(one);
    expect(spares.take(said)).toBeUndefined();
  });

  it('carry bytes when they are taken again', async () => {
    const spares = new SpareStreams();
    const [near, far] = pair();
    spares.keep(said, near);
    expect(spares.take(said)).toBe(near);
    far.write('answer');
    near.resume();
    expect(String(await once(near, 'data'))).toBe('answer');
  });

  it('close when something comes that nobody asked for, when the far end ends, and when they are too old', async () => {
    const spares = new SpareStreams();
    const [[spoken, speaker], [ended, ender], [old]] = [pair(), pair(), pair()];
    spares.keep(said, spoken);
    spares.keep(said, ended);
    speaker.write('surprise');
    ender.end();
    await Promise.all([once(spoken, 'close'), once(ended, 'close')]);
    expect(spares.take(said)).toBeUndefined();
    spares.keep(said, old);
    vi.advanceTimersByTime(5_000);
    expect([old.destroyed, spares.take(said)]).toEqual([true, undefined]);
  });

  it('are sixteen at most, and none that has ended', () => {
    const spares = new SpareStreams();
    const streams = Array.from({ length: 17 }, () => pair()[0]);
    for (const stream of streams) spares.keep(said, stream);
    expect(streams.map(({ destroyed }) => destroyed)).toEqual([...Array.from({ length: 16 }, () => false), true]);
    const [dead] = pair();
    dead.destroy();
    spares.closeAll();
    spares.keep(said, dead);
    expect(spares.take(said)).toBeUndefined();
    expect(streams.every(({ destroyed }) => destroyed)).toBe(true);
  });
});
