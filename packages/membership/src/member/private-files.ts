import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fchmodSync,
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
import { dirname, join } from 'node:path';
import { PosternError } from '@postern/api/errors';

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
const MAX_FILE_BYTES = 1024 * 1024;

/** undefined where there is none. A file or folder that somebody else owns, may write or may read is refused. */
export function readPrivateFile(path: string): string | undefined {
  let fd: number;
  try {
    checkFolder(dirname(path));
    fd = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return undefined;
    if (codeOf(cause) === 'ELOOP')
      throw new PosternError('bad_request', `${path} is a symbolic link: a private file must be a file of its own`, { cause });
    throw unusable(path, cause);
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.size > MAX_FILE_BYTES) throw new PosternError('bad_request', `${path} is not a file of at most 1 MiB`);
    checkOwner(path, stat);
    if ((stat.mode & 0o077) !== 0)
      throw new PosternError('bad_request', `${path} holds a private key, and other users may read or write it: chmod 600 ${path}`);
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}

/** All or nothing, also through a power cut: temporary file, fsync, rename, fsync of the folder. */
export function writePrivateFile(path: string, text: string): void {
  const folder = dirname(path);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw unusable(folder, cause);
  }
  checkFolder(folder);
  const temporary = join(folder, `.${randomBytes(8).toString('hex')}.tmp`);
  try {
    const fd = openSync(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    try {
      fchmodSync(fd, 0o600);
      writeFileSync(fd, text);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
    syncFolder(folder);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw unusable(path, cause);
  }
}

function checkFolder(folder: string): void {
  const stat = lstatSync(folder);
  if (!stat.isDirectory()) throw new PosternError('bad_request', `${folder} is not a folder`);
  checkOwner(folder, stat);
  if ((stat.mode & 0o077) !== 0)
    throw new PosternError('bad_request', `${folder} holds private keys, and other users may enter it: chmod 700 ${folder}`);
}

function checkOwner(path: string, stat: { readonly uid: number }): void {
  const self = process.getuid?.();
  if (self !== undefined && stat.uid !== self)
    throw new PosternError('bad_request', `${path} belongs to user ${stat.uid}, and this program runs as ${self}: run it as its owner`);
}

function syncFolder(folder: string): void {
  const fd = openSync(folder, O_RDONLY | O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function unusable(path: string, cause: unknown): PosternError {
  return cause instanceof PosternError ? cause : new PosternError('bad_request', `${path} cannot be used (${codeOf(cause)})`, { cause });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}
