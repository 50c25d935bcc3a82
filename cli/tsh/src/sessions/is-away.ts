import { PosternError } from '@postern/api/errors';

/** Auth could not be asked: what was granted before may serve, and nothing was refused. */
export function isAway(error: unknown): error is PosternError {
  return error instanceof PosternError && (error.code === 'unavailable' || error.code === 'cannot_connect');
}
