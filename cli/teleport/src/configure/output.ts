import { closeSync, constants, fsyncSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { PosternError } from '@postern/api/errors';
import { say } from '@postern/terminal/output';
import { UsageError } from '@postern/terminal/usage-error';

const DEFAULT_FILE = '/etc/teleport.yaml';

/**
 * "stdout", "file" (the usual place), "file:///path" or a path. An existing file is never overwritten; a configuration
 * may hold a token, so that it is for its owner alone. Returns the file, where it was one.
 */
export function writeConfiguration(where: string, text: string, mode = 0o600): string | undefined {
  if (where === 'stdout' || where === '-') {
    process.stdout.write(text);
    return undefined;
  }
  const file = pathOf(where);
  try {
    const fd = openSync(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, mode);
    writeFileSync(fd, text);
    fsyncSync(fd);
    closeSync(fd);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && isSame(file, text)) {
      say(`${file} is current`);
      return file;
    }
    if (code === 'EEXIST')
      throw new PosternError('already_exists', `${file} exists already: move it away, or write elsewhere with --output`);
    throw new PosternError(code === 'EACCES' ? 'denied' : 'bad_request', `cannot write ${file}: ${code ?? String(error)}`, {
      cause: error,
    });
  }
  say(`wrote ${file}`);
  return file;
}

function pathOf(where: string): string {
  if (where === 'file') return DEFAULT_FILE;
  if (!/^[a-z]+:\/\//.test(where)) return where;
  const url = URL.parse(where);
  if (url?.protocol !== 'file:' || url.host !== '') throw new UsageError(`--output: "${where}" is neither stdout nor file:///path`);
  return decodeURIComponent(url.pathname);
}

function isSame(file: string, text: string): boolean {
  try {
    return readFileSync(file, 'utf8') === text;
  } catch {
    return false;
  }
}
