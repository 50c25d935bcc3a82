import type { QueryEventsRequest } from '@postern/api';
import { cellText } from '@postern/terminal/output';

export interface AuditFilter {
  readonly from?: number;
  readonly to?: number;
  readonly user?: string;
  readonly kind?: string;
  readonly resource?: string;
  readonly session?: string;
  readonly limit?: number;
  readonly oldestFirst?: boolean;
}
export type AuditLine = Readonly<Record<string, unknown>>;

export function queryOf(filter: AuditFilter): QueryEventsRequest {
  return {
    fromMs: filter.from ?? 0,
    toMs: filter.to ?? 0,
    user: filter.user ?? '',
    kind: filter.kind ?? '',
    resource: filter.resource ?? '',
    sessionId: filter.session ?? '',
    limit: filter.limit ?? 0,
    oldestFirst: filter.oldestFirst === true,
  };
}

export function parseLine(json: Buffer): AuditLine {
  return JSON.parse(json.toString('utf8')) as AuditLine;
}

/** Wide enough for an ARN; an error may be longer than the rest. */
const cellWidth = 120;
const detailWidth = 200;

/** Time, kind, outcome, user and resource in columns; -f json has everything. Its fields are whatever an agent wrote. */
export function lineCells(line: AuditLine): readonly string[] {
  const text = (...names: readonly string[]) => {
    const value = names.map((name) => line[name]).find((found) => found !== undefined && found !== null && found !== '');
    return cellText(value, cellWidth);
  };
  const said = ['error', 'message', 'reason', 'operation'].map((name) => cellText(line[name], detailWidth)).find((found) => found !== '');
  return [
    text('time'),
    text('event', 'kind'),
    text('code'),
    line['success'] === false ? 'refused' : 'ok',
    text('user'),
    text('resource'),
    detail(line, said ?? ''),
  ];
}

/** A request has two records, before and after AWS: the table tells them apart. */
function detail({ phase, status_code: status, duration_ms: took }: AuditLine, said: string): string {
  if (phase === 'intent') return `${said} (asked)`;
  if (phase !== 'outcome' || typeof status !== 'number') return said;
  return `${said} (${status}${typeof took === 'number' ? ` in ${took} ms` : ''})`;
}

export const LINE_HEAD = ['Time', 'Kind', 'Code', 'Outcome', 'User', 'Resource', 'Detail'];
