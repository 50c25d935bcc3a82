import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readTokenValue } from '#join/read-token-value.ts';

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'token-'));
});
afterAll(() => rmSync(dir, { recursive: true }));
const file = (name: string, text: string, mode = 0o600) => {
  const path = join(dir, name);
  writeFileSync(path, text, { mode });
  chmodSync(path, mode);
  return path;
};

describe('a token', () => {
  it('is what was written, or the trimmed content of the file at an absolute path', () => {
    expect(readTokenValue('abcd123-insecure-do-not-use-this')).toBe('abcd123-insecure-do-not-use-this');
    expect(readTokenValue(file('good', '  a1b2c3\n\n'))).toBe('a1b2c3');
  });

  it('may be behind a symbolic link, as secrets of Kubernetes are', () => {
    const link = join(dir, 'link');
    symlinkSync(file('target', 'a1b2c3'), link);
    expect(readTokenValue(link)).toBe('a1b2c3');
  });

  it('in a file that others can read is taken, with a warning', () => {
    const warnings: string[] = [];
    const path = file('open', 'a1b2c3', 0o644);
    expect(readTokenValue(path, { onWarning: (message) => warnings.push(message) })).toBe('a1b2c3');
    expect(warnings).toEqual([`the token file ${path} can be read by other users of this host: chmod 600 ${path}`]);
  });

  it('is refused with the file’s name and never its content', () => {
    const folder = join(dir, 'folder');
    mkdirSync(folder);
    const cases: [string, string][] = [
      [join(dir, 'nowhere'), 'cannot be read (ENOENT)'],
      [folder, 'is not a regular file'],
      ['/dev/zero', 'is not a regular file'],
      [file('empty', ' \n'), 'is empty'],
      [file('lines', 'canary\ncanary'), 'is not one line'],
      [file('long', 'canary'.repeat(1000)), 'is not one line'],
      [file('binary', 'canary\0'), 'is not one line'],
    ];
    for (const [path, expected] of cases) {
      const attempt = () => readTokenValue(path);
      expect(attempt).toThrow(expected);
      expect(attempt).toThrow(path);
      expect(attempt).not.toThrow(/canary/);
    }
    expect(() => readTokenValue('')).toThrow('the token is empty');
    expect(() => readTokenValue('two words')).toThrow('the token is not one line');
  });
});
