import { setImmediate as nextTurn } from 'node:timers/promises';
import { JsonFault } from '#dynamodb/json-cursor.ts';
import { JsonScanner, type Scan } from '#dynamodb/json-scanner.ts';
import type { DynamoDbOperation, TableRule } from '#dynamodb/operations.ts';
import { partiqlStatement, type Statement } from '#dynamodb/partiql-statement.ts';
import { type Place, type RequestRefusal, TableFault, tableName, tableOfArn, tableOfShardIterator } from '#dynamodb/table-name.ts';

export type TablesResult = {
  /** bare table names, each once, in order of appearance; empty for operations without a table */
  readonly tables: readonly string[];
  /** false: the request touches a table that it does not name readably (a foreign shard iterator): deny where rules name tables */
  readonly complete: boolean;
  /** PartiQL only: one per statement */
  readonly statements?: readonly Statement[];
  /** set: do not forward; code and message are for dynamodbRefusal */
  readonly refusal?: RequestRefusal;
};

/** Some milliseconds of scanning: what other requests may have to wait. */
const sliceBytes = 256 * 1024;
/** Nothing in a body of this size takes longer than that. */
const smallBytes = 32 * 1024;
/** No operation names more tables, items or statements: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html */
const maxNamed = 100;
const maxValueBytes = 65_536;

/** All tables that a request names, in one go: for small bodies. A decision must hold for each of them. */
export function tablesOf(operation: DynamoDbOperation, body: Uint8Array, place: Place): TablesResult {
  return judged(() => toItsEnd(scanRequest(operation, body, place)), operation);
}

/** The same for a body of any size: at once where it is small, and else the event loop runs on between slices of a quarter of a megabyte. */
export function tablesInSlices(operation: DynamoDbOperation, body: Uint8Array, place: Place): TablesResult | Promise<TablesResult> {
  return body.length <= smallBytes ? tablesOf(operation, body, place) : sliceBySlice(operation, body, place);
}

async function sliceBySlice(operation: DynamoDbOperation, body: Uint8Array, place: Place): Promise<TablesResult> {
  const started = judged(() => scanRequest(operation, body, place), operation);
  if ('tables' in started) return started;
  for (;;) {
    const step = judged(() => started.next(), operation);
    if ('tables' in step) return step;
    if (step.done === true) return step.value;
    await nextTurn();
  }
}

function toItsEnd<T>(scan: Scan<T>): T {
  for (;;) {
    const step = scan.next();
    if (step.done === true) return step.value;
  }
}

function judged<T>(act: () => T, operation: DynamoDbOperation): T | TablesResult {
  try {
    return act();
  } catch (error) {
    if (error instanceof TableFault) return refused(error.code, `${operation.operation}: ${error.message}`);
    if (error instanceof JsonFault) return refused('ValidationException', `${operation.operation}: ${error.message}`);
    throw error;
  }
}

function refused(code: RequestRefusal['code'], message: string): TablesResult {
  return { tables: [], complete: false, refusal: { code, message } };
}

function* scanRequest(operation: DynamoDbOperation, body: Uint8Array, place: Place): Scan<TablesResult> {
  const reading: Reading = { scanner: new JsonScanner(body, { sliceBytes }), values: [] };
  const { root, alternatives } = wantedBy(operation.tables);
  yield* readParts(reading, root);
  reading.scanner.end();
  requireAll(alternatives, reading.values);
  const tables: string[] = [];
  const statements: Statement[] = [];
  let complete = true;
  for (const { rule, text } of reading.values) {
    if (rule.read === 'statement') {
      statements.push(partiqlStatement(text, place));
      // Four thousand words at most, and a hundred statements.
      yield;
    }
    const table = rule.read === 'statement' ? statements.at(-1)?.table : tableIn(rule, text, place);
    if (table === undefined) complete = false;
    else if (!tables.includes(table)) tables.push(table);
  }
  return operation.class === 'partiql' ? { tables, complete, statements } : { tables, complete };
}

function tableIn(rule: TableRule, text: string, place: Place): string | undefined {
  if (rule.read === 'arn') return tableOfArn(text, place);
  return rule.read === 'shard-iterator' ? tableOfShardIterator(text, place) : tableName(text, place);
}

/** The rules of an operation as a tree, so that one walk over the body serves all of them. */
type Shape = { readonly rule?: TableRule; readonly members: Map<string, Shape>; readonly lowerCased: Set<string>; element?: Shape };
type Reading = { readonly scanner: JsonScanner; readonly values: { readonly rule: TableRule; readonly text: string }[] };

/** What an operation is asked for: its rules as a tree, and which of them stand for one another. */
interface Wanted {
  readonly root: Shape;
  readonly alternatives: readonly (readonly TableRule[])[];
}

const known = new WeakMap<readonly TableRule[], Wanted>();

function wantedBy(rules: readonly TableRule[]): Wanted {
  let wanted = known.get(rules);
  if (wanted !== undefined) return wanted;
  const root = emptyShape();
  for (const rule of rules) addRule(root, rule);
  wanted = { root, alternatives: alternativesIn(rules) };
  known.set(rules, wanted);
  return wanted;
}

function emptyShape(rule?: TableRule): Shape {
  return { members: new Map(), lowerCased: new Set(), ...(rule === undefined ? {} : { rule }) };
}

function addRule(root: Shape, rule: TableRule): void {
  let shape = root;
  for (const [i, step] of rule.path.entries()) {
    const isLast = i === rule.path.length - 1;
    if (step === '[]') {
      shape.element ??= emptyShape();
      shape = shape.element;
    } else {
      const child = shape.members.get(step) ?? emptyShape(isLast ? rule : undefined);
      shape.members.set(step, child);
      shape.lowerCased.add(step.toLowerCase());
      shape = child;
    }
  }
}

const isText = (shape: Shape): shape is Shape & { readonly rule: TableRule } => shape.rule !== undefined && shape.rule.read !== 'keys';

function readText(reading: Reading, rule: TableRule): void {
  const { scanner } = reading;
  if (!scanner.nextIsString()) throw new TableFault('ValidationException', `${rule.path.join('.')} is not a string`);
  addValue(reading, { rule, text: scanner.readString(maxValueBytes) });
}

/** An object whose names are asked for, or a list or an object with something in it that is. */
function* readParts(reading: Reading, shape: Shape): Scan<void> {
  const { rule, element } = shape;
  if (rule !== undefined) yield* readKeys(reading, rule);
  else if (element !== undefined) yield* readElements(reading, element);
  else yield* readMembers(reading, shape);
}

function* readKeys(reading: Reading, rule: TableRule): Scan<void> {
  const { scanner } = reading;
  const seen = scanner.enterObject();
  for (let text = scanner.nextName(seen); text !== undefined; text = scanner.nextName(seen)) {
    addValue(reading, { rule, text });
    while (!scanner.skipValue()) yield;
    if (scanner.isPauseDue()) yield;
  }
}

function* readElements(reading: Reading, element: Shape): Scan<void> {
  const { scanner, values } = reading;
  if (!scanner.enterList()) return;
  do {
    const before = values.length;
    if (isText(element)) readText(reading, element.rule);
    else yield* readParts(reading, element);
    // an item without a table, or with two, would be judged by its neighbours
    if (values.length !== before + 1) throw new TableFault('ValidationException', 'each item must name exactly one table');
    if (scanner.isPauseDue()) yield;
  } while (scanner.nextElement());
}

function* readMembers(reading: Reading, { members, lowerCased }: Shape): Scan<void> {
  const { scanner } = reading;
  const seen = scanner.enterObject();
  for (let name = scanner.nextName(seen); name !== undefined; name = scanner.nextName(seen)) {
    const child = members.get(name);
    if (child === undefined) {
      if (lowerCased.has(name.toLowerCase()))
        throw new TableFault('ValidationException', `the member ${name} is not spelled as AWS spells it`);
      while (!scanner.skipValue()) yield;
    } else if (isText(child)) readText(reading, child.rule);
    else yield* readParts(reading, child);
    if (scanner.isPauseDue()) yield;
  }
}

function addValue(reading: Reading, value: Reading['values'][number]): void {
  if (reading.values.length >= maxNamed) throw new TableFault('ValidationException', `it names more than ${maxNamed} tables or items`);
  reading.values.push(value);
}

/** List rules are alternatives of one another: each element has been checked to hold exactly one, so one in all suffices here. */
function alternativesIn(rules: readonly TableRule[]): Wanted['alternatives'] {
  const groups = Map.groupBy(rules, (rule) =>
    rule.presence === 'one of' ? 'one of' : rule.path.indexOf('[]') > 0 ? rule.path[0] : rule.path.join('.'),
  );
  return [...groups.values()].filter((group) => group.every(({ presence }) => presence !== 'optional'));
}

function requireAll(alternatives: Wanted['alternatives'], values: Reading['values']): void {
  for (const group of alternatives) {
    if (values.some(({ rule }) => group.includes(rule))) continue;
    throw new TableFault('ValidationException', `${group.map((rule) => rule.path.join('.')).join(' or ')} is missing`);
  }
}
