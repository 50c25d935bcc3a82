import { type Problem, ResourceError } from '@postern/resources';

export type { Problem };

/** A teleport.yaml that cannot be taken: each line of the message reads "file:line:column: field: sentence". Never quotes a token. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly Problem[];
  constructor(message: string, problems: readonly Problem[]) {
    super(message);
    this.problems = problems;
  }
}

export function toConfigError(error: unknown): unknown {
  return error instanceof ResourceError ? new ConfigError(error.message, error.problems) : error;
}
