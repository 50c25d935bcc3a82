import { AuditService, callUnary, PosternError } from '@postern/api';
import { type AdminOptions, asAdministrator } from '#connection/administrator.ts';
import { type Format, print } from '@postern/terminal/output';

/** A log of years takes a while to read. */
const DEADLINE_MS = 600_000;

/** Exit code 1 where a record is missing, changed or out of order. */
export async function verifyLog(options: AdminOptions, format: Format): Promise<void> {
  const { ok, records, segment, line, reason, head } = await asAdministrator(options, ({ client }) =>
    callUnary(client, AuditService.verifyLog, {}, { deadlineMs: DEADLINE_MS }),
  );
  const data = ok ? { ok, records, head } : { ok, records, segment, line, reason };
  await print(format, data, () =>
    ok ? `The audit log is intact: ${records} records, head ${head}` : `The audit log is broken after ${records} good records.`,
  );
  if (!ok) throw new PosternError('internal', `the audit log is broken at ${segment}:${line}: ${reason}`);
}
