import { partiqlTokens, type Token } from '#dynamodb/partiql-tokens.ts';
import { type Place, TableFault, tableName } from '#dynamodb/table-name.ts';

export type Statement = {
  readonly verb: 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE';
  readonly table: string;
  readonly index?: string;
};

/** The word before the table, for each verb. */
const tableAfter: Record<Statement['verb'], string> = { SELECT: 'FROM', INSERT: 'INTO', UPDATE: 'UPDATE', DELETE: 'FROM' };
/** What may follow the table. Nothing else: no alias, no comma, no join, so no second table can hide there. */
const followers: Record<Statement['verb'], readonly string[]> = {
  SELECT: ['WHERE', 'ORDER'],
  INSERT: ['VALUE'],
  UPDATE: ['SET', 'REMOVE'],
  DELETE: ['WHERE', 'RETURNING'],
};
/** Words that name a table or join one; each statement has exactly one of them as a word, the one that its verb asks for. */
const tableWords: ReadonlySet<string> = new Set([
  'FROM',
  'INTO',
  'UPDATE',
  'JOIN',
  'SELECT',
  'INSERT',
  'DELETE',
  'UNION',
  'EXCEPT',
  'INTERSECT',
  'EXEC',
  'UNPIVOT',
]);

/**
 * Verb and table of one PartiQL statement. DynamoDB's statements are about a single table, so anything that could be about two, or that is
 * not understood, throws TableFault.
 */
export function partiqlStatement(text: string, place: Place): Statement {
  const tokens = withoutExists(withoutSemicolon(partiqlTokens(text)));
  const verb = verbOf(tokens[0]);
  if (verb === undefined) throw new TableFault('ValidationException', 'a statement does not start with SELECT, INSERT, UPDATE or DELETE');
  const expected = verb === tableAfter[verb] ? [verb] : [verb, tableAfter[verb]];
  const words = tokens.flatMap((token) => (token.kind === 'word' && tableWords.has(token.upper) ? [token.upper] : []));
  if (words.join(' ') !== expected.join(' ')) {
    throw new TableFault('ValidationException', `a ${verb} statement must name exactly one table; quote names that are also keywords`);
  }
  const at = tokens.findIndex((token) => token.kind === 'word' && token.upper === tableAfter[verb]);
  if ((verb === 'INSERT' || verb === 'DELETE') && at !== 1) throw new TableFault('ValidationException', `a ${verb} statement is malformed`);
  return { verb, ...tableAt(tokens, { from: at + 1, verb, place }) };
}

function tableAt(
  tokens: readonly Token[],
  { from, verb, place }: { readonly from: number; readonly verb: Statement['verb']; readonly place: Place },
): Omit<Statement, 'verb'> {
  const table = nameOf(tokens[from]);
  const dot = tokens[from + 1];
  const hasIndex = dot?.kind === 'symbol' && dot.text === '.';
  const index = hasIndex ? nameOf(tokens[from + 2]) : undefined;
  if (table === undefined || (hasIndex && index === undefined)) {
    throw new TableFault('ValidationException', `a ${verb} statement does not name its table as a plain or double-quoted name`);
  }
  const after = tokens[from + (hasIndex ? 3 : 1)];
  if (after !== undefined && !(after.kind === 'word' && followers[verb].includes(after.upper))) {
    throw new TableFault('ValidationException', `after its table a ${verb} statement may only go on with ${followers[verb].join(' or ')}`);
  }
  return { table: tableName(table, place), ...(index === undefined ? {} : { index }) };
}

function nameOf(token: Token | undefined): string | undefined {
  return token?.kind === 'word' || token?.kind === 'quoted' ? token.text : undefined;
}

function verbOf(token: Token | undefined): Statement['verb'] | undefined {
  const verbs = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'] as const;
  return token?.kind === 'word' ? verbs.find((verb) => verb === token.upper) : undefined;
}

/** One at the very end is harmless; elsewhere it would start a second statement. */
function withoutSemicolon(tokens: readonly Token[]): readonly Token[] {
  const statement = isSymbol(tokens.at(-1), ';') ? tokens.slice(0, -1) : tokens;
  if (statement.some((token) => isSymbol(token, ';')))
    throw new TableFault('ValidationException', 'only one statement may stand in a Statement');
  return statement;
}

/** A transaction may ask `EXISTS(SELECT …)`: what counts is the SELECT within. */
function withoutExists(tokens: readonly Token[]): readonly Token[] {
  const first = tokens[0];
  if (first?.kind !== 'word' || first.upper !== 'EXISTS') return tokens;
  if (!isSymbol(tokens[1], '(') || !isSymbol(tokens.at(-1), ')'))
    throw new TableFault('ValidationException', 'EXISTS must hold one SELECT in brackets');
  return tokens.slice(2, -1);
}

function isSymbol(token: Token | undefined, text: string): boolean {
  return token?.kind === 'symbol' && token.text === text;
}
