import { PosternError } from '@postern/api';
import type { RunningAgent, StartDbAgentOptions } from '#index.ts';

export function wireDbAgent(_options: StartDbAgentOptions): Promise<RunningAgent> {
  return Promise.reject(new PosternError('unimplemented', 'the database agent cannot start'));
}
