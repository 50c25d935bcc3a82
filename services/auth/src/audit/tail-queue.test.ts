import { limits } from '@postern/limits';
import { expect, it } from 'vitest';
import { TailQueue } from '#audit/tail-queue.ts';

it('keeps a mebibyte for a reader that does not keep up, and ends it a byte past that, after what it was owed [limit slowConsumerBytes]', async () => {
  const half = 'x'.repeat(limits.slowConsumerBytes / 2);
  const queue = new TailQueue({});
  const lines = queue.follow(new AbortController().signal);
  for (const line of [half, half]) queue.push(line);
  expect(await lines.next()).toEqual({ done: false, value: half });
  expect(await lines.next()).toEqual({ done: false, value: half });

  for (const line of [half, half, 'y']) queue.push(line);
  expect([await lines.next(), await lines.next()]).toEqual([half, half].map((value) => ({ done: false, value })));
  await expect(lines.next()).rejects.toMatchObject({ code: 'limit_exceeded', message: expect.stringContaining('too far behind') });
});
