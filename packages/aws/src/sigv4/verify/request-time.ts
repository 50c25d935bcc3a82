import { singleValue, type GroupedHeaders } from '#sigv4/verify/grouped-headers.ts';
import { refuse, type SignatureRefusal } from '#sigv4/signature-refusal.ts';
import { amzDate } from '#sigv4/signing-keys.ts';

const minuteMs = 60_000;
/** AWS's own bounds of X-Amz-Expires: a second and a week. */
const maxExpiresS = 604_800;

/** The moment of the signature: x-amz-date, or Date where there is no x-amz-date, which old clients sign. */
export function headerTime(headers: GroupedHeaders): number | undefined {
  const date = singleValue(headers, 'x-amz-date');
  if (headers.has('x-amz-date')) return date === undefined ? undefined : parseAmzDate(date);
  const plain = singleValue(headers, 'date');
  if (plain === undefined) return undefined;
  return parseAmzDate(plain) ?? parseHttpDate(plain);
}

/** YYYYMMDDTHHMMSSZ and a moment that exists. */
export function parseAmzDate(text: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second] = match;
  const timeMs = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(timeMs) || amzDate(timeMs) !== text ? undefined : timeMs;
}

/** IMF-fixdate of RFC 9110 5.6.7; the older forms are not sent by any signer. */
function parseHttpDate(text: string): number | undefined {
  if (!/^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/.test(text)) return undefined;
  const timeMs = Date.parse(text);
  return Number.isNaN(timeMs) || new Date(timeMs).toUTCString() !== text ? undefined : timeMs;
}

export type Moment = { readonly timeMs: number; readonly nowMs: number; readonly maxSkewMs: number };

/** AWS's own words: the SDKs read them, correct their clock by the Date header and try again. */
export function judgeSkew({ timeMs, nowMs, maxSkewMs }: Moment): SignatureRefusal | undefined {
  const minutes = Math.round(maxSkewMs / minuteMs);
  if (timeMs < nowMs - maxSkewMs) {
    return refuse(
      'skewed',
      `Signature expired: ${amzDate(timeMs)} is now earlier than ${amzDate(nowMs - maxSkewMs)} (${amzDate(nowMs)} - ${minutes} min.)`,
    );
  }
  if (timeMs > nowMs + maxSkewMs) {
    return refuse(
      'skewed',
      `Signature not yet current: ${amzDate(timeMs)} is still later than ${amzDate(nowMs + maxSkewMs)} (${amzDate(nowMs)} + ${minutes} min.)`,
    );
  }
  return undefined;
}

/** A pre-signed request lives from its date for X-Amz-Expires seconds. Its start may lie ahead by as much as clocks may differ, its end is exact. */
export function judgeLifetime(moment: Moment, expires: string): { readonly expiresAtMs: number } | SignatureRefusal {
  const seconds = /^\d{1,6}$/.test(expires) ? Number(expires) : 0;
  if (seconds < 1 || seconds > maxExpiresS) return refuse('bad_request', 'X-Amz-Expires must be a number of seconds between 1 and 604800');
  const { timeMs, nowMs, maxSkewMs } = moment;
  if (timeMs > nowMs + maxSkewMs) return judgeSkew(moment) ?? refuse('skewed', 'Signature not yet current');
  const expiresAtMs = timeMs + seconds * 1000;
  // S3 says so with AccessDenied, and no SDK tries it again: the address is dead whatever the clock
  if (nowMs > expiresAtMs) return refuse('denied', `Request has expired: it was signed at ${amzDate(timeMs)} for ${seconds} seconds`);
  return { expiresAtMs };
}
