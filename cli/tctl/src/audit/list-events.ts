import { AuditService, callStream } from '@postern/api';
import { type AuditFilter, type AuditLine, LINE_HEAD, lineCells, parseLine, queryOf } from '#audit/query.ts';
import { type AdminOptions, asAdministrator } from '#connection/administrator.ts';
import { type Format, print, say, table } from '@postern/terminal/output';

export async function listEvents(options: AdminOptions, filter: AuditFilter & { readonly format: Format }): Promise<void> {
  const lines = await asAdministrator(options, async ({ client }) => {
    const found: AuditLine[] = [];
    for await (const record of callStream(client, AuditService.queryEvents, queryOf(filter))) found.push(parseLine(record.json));
    return found;
  });
  await print(filter.format, lines, () => table(LINE_HEAD, lines.map(lineCells)));
  if (filter.format === 'text' && lines.length === 0) say('no event matches: docs/audit-events.md has every kind');
}
