import { once } from 'node:events';
import { AuditService, callStream } from '@postern/api';
import { type AuditFilter, lineCells, parseLine, queryOf } from '#audit/query.ts';
import { type AdminOptions, asAdministrator } from '#connection/administrator.ts';
import { type Format, jsonLine, printable, render } from '@postern/terminal/output';

/** One line an event (JSON lines with -f json), until Ctrl-C. Waits for a slow reader instead of gathering lines. */
export async function tailEvents(options: AdminOptions, filter: AuditFilter & { readonly format: Format }): Promise<void> {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stop.abort());
  await asAdministrator(options, async ({ client }) => {
    for await (const record of callStream(client, AuditService.tailEvents, queryOf(filter), { signal: stop.signal })) {
      if (!process.stdout.write(await lineOf(record.json, filter.format))) await once(process.stdout, 'drain');
    }
  });
}

async function lineOf(json: Buffer, format: Format): Promise<string> {
  const line = parseLine(json);
  if (format === 'json') return jsonLine(line);
  if (format === 'yaml') return `---\n${await render(format, line, () => '')}`;
  return `${lineCells(line)
    .filter((cell) => cell !== '')
    .map(printable)
    .join('  ')}\n`;
}
