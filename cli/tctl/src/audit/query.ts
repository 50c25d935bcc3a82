import type { QueryEventsRequest } from '@postern/api';
import { labelsText } from '@postern/terminal/output';

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

/** Time, kind, outcome, user and resource in columns; -f json has everything. */
export function lineCells(line: AuditLine): readonly string[] {
  const text = (...names: readonly string[]) => {
    const value = names.map((name) => line[name]).find((found) => found !== undefined && found !== '');
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value);
    return value === undefined || value === null ? '' : labelsText(value as Record<string, string>);
  };
  const success = line['success'];
  return [
    text('time'),
    text('event', 'kind'),
    text('code'),
    success === false ? 'refused' : 'ok',
    text('user'),
    text('resource'),
    detail(line, text('error', 'message', 'reason', 'operation')),
  ];
}

/** A request has two records, before and after AWS: the table tells them apart. */
function detail({ phase, status_code: status, duration_ms: took }: AuditLine, said: string): string {
  if (phase === 'intent') return `${said} (asked)`;
  if (phase !== 'outcome' || typeof status !== 'number') return said;
  return `${said} (${status}${typeof took === 'number' ? ` in ${took} ms` : ''})`;
}

export const LINE_HEAD = ['Time', 'Kind', 'Code', 'Outcome', 'User', 'Resource', 'Detail'];
