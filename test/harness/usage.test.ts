import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { Daemon } from '#processes.ts';
import { UsageBefore } from '#usage.ts';

const dir = mkdtempSync(join(tmpdir(), 'postern-usage-'));
const daemons: Daemon[] = [];
afterEach(async () => {
  for (const daemon of daemons.splice(0)) await daemon.stop('SIGKILL');
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** A process that does something once it is told to, with SIGUSR2. */
async function leaky(act: string): Promise<Daemon> {
  const script = `const kept = []; setInterval(() => kept.length, 1000); process.on('SIGUSR2', () => { ${act}; console.log('done'); }); console.log('runs')`;
  const env = { PATH: process.env['PATH'], NODE_OPTIONS: '--inspect-port=127.0.0.1:0' };
  const daemon = new Daemon('leaky', [process.execPath, '-e', script], {
    env,
    cwd: dir,
    logFile: join(dir, `leaky-${daemons.length}-${Math.random()}.log`),
  });
  daemons.push(daemon);
  await daemon.says(/runs/);
  return daemon;
}

describe('what a process holds after a fault', () => {
  it.each([
    [
      'descriptors that were not closed',
      `for (let n = 0; n < 40; n += 1) kept.push(require('node:fs').openSync('/dev/null'))`,
      [/leaky.*: \d+ descriptors before, \d+ now/],
    ],
    ['memory that is still reached', `kept.push(new Array(4_000_000).fill(1.5))`, [/leaky.*: \d+ liveBytes before, \d+ now/]],
    ['nothing, where what was taken was given back', `Buffer.alloc(64_000_000).fill(1)`, []],
  ])('finds %s', async (_what, act, found) => {
    const daemon = await leaky(act);
    const before = await UsageBefore.of([daemon]);
    daemon.child.kill('SIGUSR2');
    await daemon.says(/done/);
    const excess = await before.excess({ withinMs: 1_000 });
    expect(excess).toEqual(found.map((pattern) => expect.stringMatching(pattern) as unknown));
  });

  it('judges one that has ended by the one in its place', async () => {
    const first = await leaky('');
    const before = await UsageBefore.of([first]);
    await first.stop('SIGKILL');
    const second = await leaky(`kept.push(new Array(4_000_000).fill(1.5))`);
    expect(await before.excess({ withinMs: 0, running: [second] })).toEqual([]);
    second.child.kill('SIGUSR2');
    await second.says(/done/);
    expect(await before.excess({ withinMs: 0, running: [second] })).toEqual([expect.stringMatching(/leaky.*liveBytes before, \d+ now/)]);
    expect(await before.excess({ withinMs: 0 })).toEqual([]);
  });
});
