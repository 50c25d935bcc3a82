import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';

const home = join(import.meta.dirname, '..');
const tsh = join(home, 'bin', 'tsh');
const ALLOWED_RATIO = 1.5;
const PAIRS = 15;
const ROUNDS = 4;

function millisecondsOf(command: readonly string[]): number {
  const [program = '', ...args] = command;
  const startedMs = performance.now();
  const { status } = spawnSync(program, args, { stdio: 'ignore' });
  expect(status).toBe(0);
  return performance.now() - startedMs;
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

/** The ratio of two medians, measured in turns so that whatever else the machine does falls on both. */
function ratio(): number {
  const [ours, bare]: [number[], number[]] = [[], []];
  for (let n = 0; n < PAIRS; n += 1) {
    bare.push(millisecondsOf([process.execPath, '-e', '0']));
    ours.push(millisecondsOf([tsh, 'version']));
  }
  return median(ours) / median(bare);
}

describe('tsh version', () => {
  beforeAll(() => {
    if (existsSync(join(home, 'dist', 'main.mjs'))) return;
    spawnSync(process.execPath, [join(home, '..', '..', 'scripts', 'build.mjs')], { stdio: 'inherit' });
  });

  it(`takes at most ${ALLOWED_RATIO} times as long as a Node that does nothing`, () => {
    let best = Number.POSITIVE_INFINITY;
    for (let round = 0; round < ROUNDS && best > ALLOWED_RATIO; round += 1) best = Math.min(best, ratio());
    expect(best).toBeLessThanOrEqual(ALLOWED_RATIO);
  });
});
