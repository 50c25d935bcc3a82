import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { askHidden, askTwice } from '#secrets.ts';
import { UsageError } from '#usage-error.ts';

/** Keys are pressed once the prompt listens. */
async function answered(keys: string, end = false): Promise<string> {
  const input = new PassThrough();
  const answer = askHidden('Password:', input);
  await press(input, keys);
  if (end) input.end();
  return answer;
}

async function press(input: PassThrough, keys: string): Promise<void> {
  while (input.listenerCount('data') === 0 && input.listenerCount('keypress') < 2) await new Promise((resolve) => setImmediate(resolve));
  input.write(keys);
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

describe('a new password', () => {
  it('is asked for twice', async () => {
    const input = new PassThrough();
    const answer = askTwice('alice', input);
    for (let times = 0; times < 2; times += 1) {
      await press(input, 'correct horse\r');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await expect(answer).resolves.toBe('correct horse');
  });

  it('that auth would refuse is refused before it is typed again', async () => {
    const input = new PassThrough();
    const answer = askTwice('alice', input);
    await press(input, 'short\r');
    await expect(answer).rejects.toThrow('a password has 12 to 128 characters, this one has 5');
  });
});
