import { expect, it } from 'vitest';
import { PosternError } from '@postern/api/errors';
import { report } from '#run-program.ts';

// An agent's or a proxy's words reach the terminal as the text of an error.
it('prints an error of another host without letting it drive the terminal, and keeps its lines', () => {
  const written: string[] = [];
  const write = process.stderr.write.bind(process.stderr);
  process.stderr.write = (text: string | Uint8Array) => {
    written.push(String(text));
    return true;
  };
  try {
    expect(report(new PosternError('denied', 'no \u001b]0;evil\u0007\u009b2J\u202e\r\nsecond line'))).toBe(4);
  } finally {
    process.stderr.write = write;
  }
  expect(written.join('').replace(/^.*ERROR:\S* /, '')).toBe('no ?]0;evil??2J??\nsecond line\n');
});
