import { TableFault } from '#dynamodb/table-name.ts';

export type Token =
  /** a keyword or an unquoted name; keywords are told by their upper-cased text */
  | { readonly kind: 'word'; readonly text: string; readonly upper: string }
  | { readonly kind: 'quoted'; readonly text: string }
  | { readonly kind: 'literal' }
  | { readonly kind: 'symbol'; readonly text: string };

/** https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExecuteStatement.html */
export const maxStatementLength = 8192;

const patterns = [
  { kind: 'blank', pattern: /[ \t\r\n]+/y },
  // where a line comment ends is read differently (CR, U+2028): only plain text may stand in one
  { kind: 'blank', pattern: /--[\t\x20-\x7e]*(?=\r?\n|$)/y },
  { kind: 'blank', pattern: /\/\*(?:[^*/]|\*(?!\/)|\/(?!\*))*\*\//y },
  { kind: 'literal', pattern: /'(?:[^']|'')*'/y },
  { kind: 'literal', pattern: /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w$])/y },
  { kind: 'quoted', pattern: /"(?:[^"]|"")+"/y },
  { kind: 'word', pattern: /[A-Za-z_$][\w$]*/y },
  { kind: 'symbol', pattern: /<=|>=|<>|!=|<<|>>|\|\||-(?!-)|\/(?!\*)|[.,;:*?=<>+%()[\]{}]/y },
] as const;

/** Whatever has no place here, the backquoted Ion literals among it, is refused: what cannot be read cannot be judged. */
export function partiqlTokens(statement: string): Token[] {
  if (statement.length > maxStatementLength) {
    throw new TableFault('ValidationException', `a statement has more than ${maxStatementLength} characters`);
  }
  const tokens: Token[] = [];
  let position = 0;
  while (position < statement.length) {
    const found = match(statement, position);
    if (found === undefined) throw new TableFault('ValidationException', `a statement cannot be read at character ${position + 1}`);
    position += found.text.length;
    if (found.kind !== 'blank') tokens.push(tokenOf(found.kind, found.text));
  }
  return tokens;
}

type Found = { readonly kind: (typeof patterns)[number]['kind']; readonly text: string };

function match(statement: string, position: number): Found | undefined {
  for (const { kind, pattern } of patterns) {
    pattern.lastIndex = position;
    const text = pattern.exec(statement)?.[0];
    if (text !== undefined) return { kind, text };
  }
  return undefined;
}

function tokenOf(kind: Exclude<Found['kind'], 'blank'>, text: string): Token {
  if (kind === 'word') return { kind, text, upper: text.toUpperCase() };
  if (kind === 'quoted') return { kind, text: text.slice(1, -1).replaceAll('""', '"') };
  return kind === 'literal' ? { kind } : { kind, text };
}
