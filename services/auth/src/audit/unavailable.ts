import { PosternError } from '@postern/api';

const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : '');
/** 13 is SQLite's word for it. */
export const isFull = (error: unknown): boolean =>
  ['ENOSPC', 'EDQUOT'].includes(codeOf(error)) || (error instanceof Error && 'errcode' in error && error.errcode === 13);

/** `where` is left out where the sentence goes to whoever asked for something. */
export function unavailable(error: unknown, where = ''): PosternError {
  if (error instanceof PosternError) return error;
  const reason = isFull(error) ? 'its disk is full' : `its disk refuses (${codeOf(error) || 'see the log'})`;
  return new PosternError('unavailable', `the audit log${where} cannot be written: ${reason}`, { cause: error });
}
