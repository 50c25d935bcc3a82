import { compilePattern } from '#patterns.ts';
import type { Traits } from '#model.ts';

/**
 * What may stand in `{{…}}`: `internal.x`, `external.x`, `external["any name"]`, `email.local(e)`,
 * `regexp.replace(e, "pattern", "replacement")`. Anything else is refused when the role is written.
 */
export type Expression =
  | { readonly kind: 'trait'; readonly name: string }
  | { readonly kind: 'email.local'; readonly of: Expression }
  | { readonly kind: 'regexp.replace'; readonly of: Expression; readonly pattern: string; readonly replacement: string };

/** Thrown with a sentence for whoever wrote the role. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError';
}

/** Names that Teleport knows under `internal`; another one is a misspelling, and would silently grant nothing. */
export const internalVariables: ReadonlySet<string> = new Set([
  'logins',
  'windows_logins',
  'kubernetes_users',
  'kubernetes_groups',
  'db_names',
  'db_users',
  'db_roles',
  'aws_role_arns',
  'azure_identities',
  'gcp_service_accounts',
  'jwt',
  'github_orgs',
  'mcp_tools',
]);

const maxDepth = 8;
const token = /\s*(?:(?<name>[A-Za-z_][\w]*)|(?<quoted>"(?:[^"\\]|\\.)*")|(?<raw>`[^`]*`)|(?<mark>[.()[\],]))/uy;

export function parseExpression(text: string): Expression {
  const reader = new Reader(text);
  const expression = readExpression(reader, 0);
  reader.end();
  return expression;
}

function readExpression(reader: Reader, depth: number): Expression {
  if (depth > maxDepth) throw new TemplateError(`functions are nested deeper than ${maxDepth}`);
  const name = reader.name();
  if (name === 'internal' || name === 'external') return readTrait(reader, name);
  reader.mark('.');
  const call = `${name}.${reader.name()}`;
  if (call !== 'email.local' && call !== 'regexp.replace') {
    throw new TemplateError(
      `${call} is not known; use internal.x, external.x, email.local(…) or regexp.replace(…, "pattern", "replacement")`,
    );
  }
  reader.mark('(');
  const of = readExpression(reader, depth + 1);
  if (call === 'email.local') {
    reader.mark(')');
    return { kind: 'email.local', of };
  }
  reader.mark(',');
  const pattern = reader.string();
  reader.mark(',');
  const replacement = reader.string();
  reader.mark(')');
  const program = compilePattern(pattern);
  if (typeof program === 'string') throw new TemplateError(program);
  return { kind: 'regexp.replace', of, pattern, replacement };
}

function readTrait(reader: Reader, namespace: 'internal' | 'external'): Expression {
  let name: string;
  if (reader.takes('.')) name = reader.name();
  else {
    reader.mark('[');
    name = reader.string();
    reader.mark(']');
  }
  if (namespace === 'internal' && !internalVariables.has(name)) {
    throw new TemplateError(`internal.${name} is not a variable; known ones: ${[...internalVariables].join(', ')}`);
  }
  return { kind: 'trait', name };
}

class Reader {
  readonly #text: string;
  #at = 0;
  constructor(text: string) {
    this.#text = text.trim();
  }

  #next(): { readonly name?: string; readonly quoted?: string; readonly raw?: string; readonly mark?: string } | undefined {
    token.lastIndex = this.#at;
    const match = token.exec(this.#text);
    if (match === null) return undefined;
    this.#at = token.lastIndex;
    return match.groups ?? {};
  }

  name(): string {
    const name = this.#next()?.name;
    if (name === undefined) throw new TemplateError('expected a name such as internal.db_users or external["name"]');
    return name;
  }

  string(): string {
    const next = this.#next();
    if (next?.raw !== undefined) return next.raw.slice(1, -1);
    if (next?.quoted === undefined) throw new TemplateError('expected a text in double quotes');
    try {
      return String(JSON.parse(next.quoted));
    } catch {
      throw new TemplateError(`${next.quoted} is not a text: write a backslash as \\\\, or put the text between back quotes`);
    }
  }

  takes(mark: string): boolean {
    const before = this.#at;
    if (this.#next()?.mark === mark) return true;
    this.#at = before;
    return false;
  }

  mark(mark: string): void {
    if (!this.takes(mark)) throw new TemplateError(`expected ${mark} after {{${this.#text.slice(0, this.#at)}`);
  }

  end(): void {
    const rest = this.#text.slice(this.#at);
    if (rest.trim() !== '') throw new TemplateError(`cannot read ${rest.trim()}`);
  }
}

export function evaluate(expression: Expression, traits: Traits): readonly string[] {
  if (expression.kind === 'trait') return Object.hasOwn(traits, expression.name) ? (traits[expression.name] ?? []) : [];
  const texts = evaluate(expression.of, traits);
  if (expression.kind === 'email.local') return texts.flatMap(localPart);
  return texts.flatMap((text) => replaced(text, expression.pattern, expression.replacement));
}

/** What stands before the `@`; a text that is no address gives nothing rather than itself. */
function localPart(address: string): readonly string[] {
  const at = address.lastIndexOf('@');
  const local = address.slice(0, Math.max(at, 0)).trim();
  return at > 0 && at < address.length - 1 && /^[^\s<>@"(),:;[\]\\]+$/u.test(local) ? [local] : [];
}

/** As Go's ReplaceAllString, with `$1`, `${1}`, `${name}` and `$$`; a text that does not match gives nothing. */
function replaced(text: string, pattern: string, replacement: string): readonly string[] {
  const program = compilePattern(pattern);
  if (typeof program === 'string') return [];
  let out = '';
  let from = 0;
  let found = false;
  for (const match of program.matchAll(text)) {
    found = true;
    const at = match.index ?? 0;
    out += text.slice(from, at) + expanded(replacement, match);
    from = at + match[0].length;
  }
  return found ? [out + text.slice(from)] : [];
}

function expanded(replacement: string, match: RegExpMatchArray): string {
  return replacement.replace(
    /\$(?:\$|\{(?<braced>\w+)\}|(?<bare>\w+))/gu,
    (whole: string, braced: string | undefined, bare: string | undefined) => {
      const name = braced ?? bare;
      if (name === undefined) return whole.slice(1);
      if (/^\d+$/u.test(name)) return match[Number(name)] ?? '';
      return match.groups !== undefined && Object.hasOwn(match.groups, name) ? (match.groups[name] ?? '') : '';
    },
  );
}
