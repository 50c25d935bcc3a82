/** One thing that is wrong, where it stands, and what to write instead. Line and column count from 1. */
export interface Problem {
  /** As one would write it: `spec.allow.db_labels.env[0]`; empty for the whole document. */
  readonly path: string;
  readonly message: string;
  readonly line?: number;
  readonly column?: number;
}

/**
 * Input that cannot be taken. The message has one line a problem: "role.yaml:7:5: spec.allow.db_labelz: unknown field
 * (did you mean db_labels?)". It names fields and quotes names, never values: a value may be a token or a key.
 */
export class ResourceError extends Error {
  override readonly name = 'ResourceError';
  readonly file: string | undefined;
  readonly problems: readonly Problem[];
  constructor(file: string | undefined, problems: readonly Problem[]) {
    super(problems.map((problem) => lineOf(file, problem)).join('\n'));
    this.file = file;
    this.problems = problems;
  }
}

function lineOf(file: string | undefined, { path, message, line, column }: Problem): string {
  const place = line === undefined ? file : `${file ?? 'input'}:${line}${column === undefined ? '' : `:${column}`}`;
  return [place, path, message].filter((part) => part !== undefined && part !== '').join(': ');
}
