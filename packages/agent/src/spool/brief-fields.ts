import { EventFields } from '#spool/event.ts';

/** Of an intent what its outcome says too, by which people search; what matters most comes first. */
const names = [
  'operation',
  'aws_service',
  'aws_region',
  'aws_host',
  'app_name',
  'db_service',
  'target',
  'aws_role_arn',
  'db_user',
] as const;

/** Room for all of them at their usual lengths; what does not fit is left out. */
export const maxBriefBytes = 1024;

/** Of the fields of an intent those that an outcome made up for it repeats: at most `maxBriefBytes` of JSON, and no more than they had. */
export function briefFields(fields: Readonly<Record<string, unknown>>): EventFields {
  const brief: Record<string, string> = {};
  let bytes = '{}'.length;
  for (const name of names) {
    const value = fields[name];
    if (typeof value !== 'string') continue;
    const more = `"${name}":,`.length + Buffer.byteLength(JSON.stringify(value));
    if (bytes + more > maxBriefBytes) continue;
    brief[name] = value;
    bytes += more;
  }
  return EventFields.of(brief);
}
