import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { askHidden } from '#secrets.ts';
import { UsageError } from '#usage-error.ts';

/** Keys are pressed once the prompt listens. */
async function answered(keys: string, end = false): Promise<string> {
  const input = new PassThrough();
  const answer = askHidden('Password:', input);
  while (input.listenerCount('data') === 0 && input.listenerCount('keypress') < 2) await new Promise((resolve) => setImmediate(resolve));
  input.write(keys);
  if (end) input.end();
  return answer;
}

describe('a password that is asked for', () => {
  it('is what was typed before Enter', async () => {
    await expect(answered('correct horse\r')).resolves.toBe('correct horse');
  });

  it.each([
    ['Ctrl-C', '\u0003', false],
    ['Ctrl-D', '\u0004', false],
    ['a terminal that goes away', '', true],
  ])('%s stops the command in a sentence', async (_what, keys, end) => {
    await expect(answered(keys, end)).rejects.toThrow(UsageError);
  });
});
