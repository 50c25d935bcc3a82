import { AuditService, callStream, PosternError, type VerifyLogResponse } from '@postern/api';
import { type AdminOptions, asAdministrator } from '#connection/administrator.ts';
import { type Format, print } from '@postern/terminal/output';

/** Exit code 1 where a record is missing, changed or out of order. How far it is stands on stderr where that is a terminal. */
export async function verifyLog(options: AdminOptions, format: Format): Promise<void> {
  const { ok, records, segment, line, reason, head } = await asAdministrator(options, async ({ client }) => {
    let result: VerifyLogResponse | undefined;
    for await (const progress of callStream(client, AuditService.watchVerification, {})) {
      showProgress(progress);
      ({ result } = progress);
    }
    if (result === undefined) throw new PosternError('unavailable', 'auth ended the verification without a result: try again');
    return result;
  });
  const data = ok ? { ok, records, head } : { ok, records, segment, line, reason };
  await print(format, data, () =>
    ok ? `The audit log is intact: ${records} records, head ${head}` : `The audit log is broken after ${records} good records.`,
  );
  if (!ok) throw new PosternError('internal', `the audit log is broken at ${segment}:${line}: ${reason}`);
}

/** One line that is written over, and wiped at the end. */
function showProgress({
  records,
  ofRecords,
  result,
}: {
  readonly records: number;
  readonly ofRecords: number;
  readonly result?: unknown;
}): void {
  if (!process.stderr.isTTY) return;
  const percent = Math.floor((100 * records) / Math.max(ofRecords, 1));
  process.stderr.write(
    `\r\u001b[K${result === undefined ? `Reading the audit log: ${records} of ${ofRecords} records, ${percent} %` : ''}`,
  );
}
