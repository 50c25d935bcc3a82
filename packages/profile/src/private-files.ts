import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import { PosternError } from '@postern/api/errors';

const OTHERS = 0o077;
const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } = constants;

/** Keys lie below it, so a directory that another user owns or may write is refused rather than repaired. */
export function ensurePrivateDir(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (codeOf(error) === 'ENOENT') {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      mkdirSync(path, { mode: 0o700 });
    } else if (codeOf(error) !== 'EEXIST') throw unusable(path, error);
  }
  checkPrivateDir(path);
}

export function checkPrivateDir(path: string): void {
  const stat = lstatSync(path);
  if (!stat.isDirectory()) throw new PosternError('denied', `${path} is not a directory (a link is not followed): remove it`);
  checkOwner(path, stat, 'chmod 700');
}

/** Undefined where there is no such file; a link, a foreign owner or wider permissions are refused. */
export function readPrivateFile(path: string): string | undefined {
  let fd: number;
  try {
    fd = openSync(path, O_RDONLY | O_NOFOLLOW);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw unusable(path, error);
  }
  try {
    checkOwner(path, fstatSync(fd), 'chmod 600');
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}

/** Of a file some directories below `home`; each of them is checked on the way. Undefined where there is none. */
export function readWithin(home: string, parts: readonly string[]): string | undefined {
  let path = home;
  for (const part of parts) {
    if (!existsSync(path)) return undefined;
    checkPrivateDir(path);
    path = join(path, part);
  }
  return readPrivateFile(path);
}

/** Whole or not at all: a new file beside it, flushed, then renamed over it. */
export function writePrivateFile(path: string, text: string): void {
  const beside = `${path}.${randomBytes(6).toString('hex')}.new`;
  try {
    const fd = openSync(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    try {
      writeFileSync(fd, text);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(beside, path);
  } catch (error) {
    rmSync(beside, { force: true });
    throw unusable(path, error);
  }
}

export function removePrivateFile(path: string): void {
  try {
    rmSync(path, { force: true, recursive: true });
  } catch (error) {
    throw unusable(path, error);
  }
}

function checkOwner(path: string, stat: { readonly uid: number; readonly mode: number }, cure: string): void {
  const own = process.getuid?.();
  if (own !== undefined && stat.uid !== own)
    throw new PosternError('denied', `${path} belongs to user id ${stat.uid}, not to you: it is not used`);
  if ((stat.mode & OTHERS) !== 0) {
    throw new PosternError(
      'denied',
      `${path} is open to other users (permissions ${(stat.mode & 0o777).toString(8)}): run ${cure} ${path}`,
    );
  }
}

function unusable(path: string, error: unknown): PosternError {
  if (codeOf(error) === 'ELOOP') return new PosternError('denied', `${path} is a link: it is not followed, remove it`);
  return new PosternError('bad_request', `cannot use ${path}: ${fileFault(error)}`, { cause: error });
}

const FAULTS: ReadonlyMap<string, string> = new Map([
  ['EACCES', 'you have no permission (EACCES): chmod or chown it, or move it away'],
  ['EPERM', 'you have no permission (EPERM): chmod or chown it, or move it away'],
  ['EISDIR', 'it is a folder (EISDIR): move it away'],
  ['ENOTDIR', 'a part of its path is no folder (ENOTDIR): move that away'],
  ['ENOSPC', 'the disk is full (ENOSPC)'],
  ['EROFS', 'the disk is read-only (EROFS)'],
]);

/** What keeps a file from being used, and what to do about it; codes that people do not meet stand as they are. */
export function fileFault(error: unknown): string {
  const code = codeOf(error) ?? 'unknown error';
  return FAULTS.get(code) ?? code;
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}
