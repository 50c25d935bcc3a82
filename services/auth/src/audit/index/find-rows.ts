import type { AuditFilter } from '#audit/audit-log.ts';
import type { IndexDatabase, Place } from '#audit/index/index-database.ts';

/** Entries of the index that one step passes over: some milliseconds, after which others have their turn. */
const entriesPerStep = 5000;

interface Position {
  readonly timeMs: number;
  readonly ei: number;
}
interface Condition {
  readonly sql: string;
  readonly values: readonly (string | number)[];
}

/**
 * The rows that match, in order of event time. However rare a match is, no step passes over more than `entriesPerStep`:
 * a filter that finds nothing in years of records does not keep auth from its other work while that is found out.
 */
export async function* findRows(
  database: IndexDatabase,
  filter: AuditFilter,
  order: { readonly oldestFirst: boolean; readonly limit: number },
): AsyncGenerator<readonly Place[]> {
  const { user, kind, resource, sessionId } = filter;
  if ([user, kind, resource, sessionId].some((name) => name && !database.isKnown(name))) return;
  const { index, narrowing, others } = planOf(filter);
  const [beyond, upTo, direction] = order.oldestFirst ? ['>', '<=', 'ASC'] : ['<', '>=', 'DESC'];
  const from = `FROM records INDEXED BY ${index} WHERE`;
  const sorted = `ORDER BY time_ms ${direction}, ei ${direction} LIMIT ?`;
  const select = (columns: string, conditions: readonly Condition[], tail: Condition) =>
    database.select(
      `SELECT ${columns} ${from} ${conditions.map(({ sql }) => sql).join(' AND ')} ${tail.sql}`,
      [...conditions, tail].flatMap(({ values }) => values),
    );
  const at = (comparison: string, { timeMs, ei }: Position): Condition => ({
    sql: `(time_ms, ei) ${comparison} (?, ?)`,
    values: [timeMs, ei],
  });

  let left = order.limit;
  let start: readonly Condition[] = [];
  while (left > 0) {
    const scanned = [...narrowing, ...start];
    const [end] = select('time_ms AS timeMs, ei', scanned, { sql: `${sorted} OFFSET ?`, values: [1, entriesPerStep - 1] });
    const last = end as Position | undefined;
    const within = [...scanned, ...others, ...(last === undefined ? [] : [at(upTo, last)])];
    const rows = select(columns, within, { sql: sorted, values: [Math.min(left, entriesPerStep)] }) as unknown as readonly Place[];
    if (rows.length > 0) yield rows;
    left -= rows.length;
    if (last === undefined) return;
    start = [at(beyond, last)];
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const columns = 'ei, segment, offset, length';

/** Which index is walked, what it narrows by itself, and what is looked at in each row. The first is the one with the fewest records. */
function planOf({ user, resource, kind, sessionId, fromMs, toMs }: AuditFilter) {
  const equals = (column: string, value: string): Condition => ({
    sql: `${column} = (SELECT id FROM names WHERE name = ?)`,
    values: [value],
  });
  const named = [
    ...(sessionId ? [{ index: 'records_session', condition: equals('session', sessionId) }] : []),
    ...(user ? [{ index: 'records_user', condition: equals('user', user) }] : []),
    ...(resource ? [{ index: 'records_resource', condition: equals('resource', resource) }] : []),
    ...(kind ? [{ index: 'records_kind', condition: equals('kind', kind) }] : []),
  ];
  const [first, ...rest] = named;
  const times: readonly Condition[] = [
    { sql: 'time_ms >= ?', values: [fromMs || 0] },
    ...(toMs ? [{ sql: 'time_ms < ?', values: [toMs] }] : []),
  ];
  return {
    index: first?.index ?? 'records_time',
    narrowing: [...(first === undefined ? [] : [first.condition]), ...times],
    others: rest.map(({ condition }) => condition),
  };
}
