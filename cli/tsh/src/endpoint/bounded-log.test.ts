import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { BoundedLog } from '#endpoint/bounded-log.ts';

it('a log that nobody watches keeps its end, and never more than two files of its size', () => {
  const dir = mkdtempSync(join(tmpdir(), 'tsh-log-'));
  const file = join(dir, 'up.log');
  const log = new BoundedLog(file, 1_000);
  for (let n = 0; n < 200; n += 1) log.write(`line ${n} \u001b[31m`);
  expect(readdirSync(dir).sort()).toEqual(['up.log', 'up.log.old']);
  for (const name of readdirSync(dir)) expect(statSync(join(dir, name)).size).toBeLessThan(1_100);
  expect(readFileSync(file, 'utf8')).toMatch(/line 199 \?\[31m\n$/);
  expect(statSync(file).mode & 0o077).toBe(0);
  rmSync(dir, { recursive: true });
  expect(() => log.write('the disk is gone')).not.toThrow();
});
