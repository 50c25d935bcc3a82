import { type Command, InvalidArgumentError, Option } from 'commander';
import type { AdminOptions } from '#connection/administrator.ts';
import type { AuditFilter } from '#audit/query.ts';
import { type Format, formatOption, parseDuration } from '@postern/terminal/output';

export function addAuditCommands(tctl: Command, options: () => AdminOptions): void {
  const audit = tctl.command('audit').description('what was done, by whom');
  withFilter(audit.command('ls').description('events of the log'), formatOption())
    .addOption(new Option('--since <when>', 'the same as --from').argParser(parseWhen).conflicts('from'))
    .option('--from <when>', 'from then on: RFC 3339, or a duration back such as 2h', parseWhen)
    .option('--to <when>', 'until then', parseWhen)
    .option('--limit <count>', 'at most so many; the newest count', parseCount, 100)
    .option('--oldest-first', 'begin with the oldest')
    .action(async (flags: Flags) => (await import('#audit/list-events.ts')).listEvents(options(), filterOf(flags)));
  withFilter(audit.command('tail').description('events as they happen, until Ctrl-C'), formatOption()).action(async (flags: Flags) =>
    (await import('#audit/tail-events.ts')).tailEvents(options(), filterOf(flags)),
  );
  audit
    .command('verify')
    .description('check the whole chain of the log')
    .addOption(formatOption())
    .action(async ({ format }: { format: Format }) => (await import('#audit/verify-log.ts')).verifyLog(options(), format));
}

export type Flags = AuditFilter & { readonly format: Format; readonly since?: number; readonly type?: string };

/** One name for what two flags may say. */
export function filterOf({ since, type, ...filter }: Flags): AuditFilter & { readonly format: Format } {
  return { ...filter, ...(since === undefined ? {} : { from: since }), ...(type === undefined ? {} : { kind: type }) };
}

function withFilter(command: Command, format: Option): Command {
  return command
    .option('--user <name>', 'of this user')
    .option('--kind <kind>', 'of this kind, such as db.session.dynamodb.request')
    .addOption(new Option('--type <kind>', 'the same as --kind').conflicts('kind'))
    .option('--resource <resource>', 'about this resource, such as db/example-dynamodb')
    .option('--session <id>', 'of this session')
    .addOption(format);
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError('Write a whole number above 0.');
  return count;
}

function parseWhen(text: string): number {
  if (/^(\d+[smhd])+$/.test(text)) return Date.now() - parseDuration(text);
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new InvalidArgumentError('Write a time such as 2026-01-31T08:00:00Z, or a duration such as 2h.');
  return ms;
}
