import { PosternError } from '@postern/api';
import type { RunningAuth, StartAuthOptions } from '#index.ts';

export function wireAuth(_options: StartAuthOptions): Promise<RunningAuth> {
  return Promise.reject(new PosternError('unimplemented', 'auth cannot start'));
}
