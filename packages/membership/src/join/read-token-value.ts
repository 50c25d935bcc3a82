import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { PosternError } from '@postern/api/errors';

/** As auth counts: longer ones are none. */
const MAX_TOKEN_LENGTH = 512;

/**
 * The token itself, or the trimmed content of the file that an absolute path names. Errors name the file and never what is in
 * it: a mistyped path could name any file of the host, and its content would be sent to auth.
 */
export function readTokenValue(tokenNameOrAbsolutePath: string, options: { readonly onWarning?: (message: string) => void } = {}): string {
  if (!isAbsolute(tokenNameOrAbsolutePath)) return checked(tokenNameOrAbsolutePath.trim(), 'the token');
  const path = tokenNameOrAbsolutePath;
  return checked(readSmallFile(path, options.onWarning).trim(), `the token file ${path}`);
}

function readSmallFile(path: string, onWarning: ((message: string) => void) | undefined): string {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
    throw new PosternError('bad_request', `the token file ${path} cannot be read (${code})`, { cause });
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new PosternError('bad_request', `the token file ${path} is not a regular file`);
    const self = process.getuid?.();
    if (self !== undefined && stat.uid !== self && stat.uid !== 0) {
      throw new PosternError('bad_request', `the token file ${path} belongs to another user: make it yours, or root's`);
    }
    if ((stat.mode & 0o077) !== 0) onWarning?.(`the token file ${path} can be read by other users of this host: chmod 600 ${path}`);
    const bytes = Buffer.alloc(MAX_TOKEN_LENGTH * 2);
    return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, 0)).toString('latin1');
  } finally {
    closeSync(fd);
  }
}

function checked(token: string, what: string): string {
  if (token === '') throw new PosternError('bad_request', `${what} is empty`);
  if (token.length > MAX_TOKEN_LENGTH || !/^[\x21-\x7e]+$/.test(token))
    throw new PosternError('bad_request', `${what} is not one line of up to ${MAX_TOKEN_LENGTH} printable characters`);
  return token;
}
