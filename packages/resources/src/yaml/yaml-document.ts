import type { Problem } from '#resource-error.ts';

export type Path = readonly (string | number)[];

/** A document as plain values, knowing where each of them stood. */
export interface YamlDocument {
  readonly value: unknown;
  /** Where the value at `path` stands, or its name where `of` is 'key'; the nearest thing around it where it is absent. */
  position(path: Path, of?: 'key' | 'value'): { readonly line: number; readonly column: number };
}

/** For values that came over the wire: the same checks, no positions. */
export function documentOfValue(value: unknown): Pick<YamlDocument, 'value'> & { readonly position: undefined } {
  return { value, position: undefined };
}

export function problemAt(
  document: { readonly position: YamlDocument['position'] | undefined },
  path: Path,
  of: 'key' | 'value',
  message: string,
): Problem {
  const position = document.position?.(path, of);
  return { path: writtenPath(path), message, ...position };
}

/** `spec.allow.db_labels.env[0]`; a name that is not a plain word stands in quotes. */
export function writtenPath(path: Path): string {
  let written = '';
  for (const step of path) {
    if (typeof step === 'number') written += `[${step}]`;
    else if (/^[\w*-]+$/u.test(step)) written += written === '' ? step : `.${step}`;
    else written += `[${JSON.stringify(step)}]`;
  }
  return written;
}
