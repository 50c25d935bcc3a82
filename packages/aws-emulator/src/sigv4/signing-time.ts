import { AwsError, type S3Code } from '#protocols/aws-error.ts';
import type { Claim } from '#sigv4/claim.ts';

const skewMs = 15 * 60_000;
const maxExpiresSeconds = 604_800;
const skewed = { s3: ['RequestTimeTooSkewed', 403] as const satisfies S3Code };

/** Checks the time of a signature: its form, its day against the scope's, its age. Returns it as it entered the string to sign. */
export function checkTime(claim: Claim, nowMs: number): string {
  const { timestamp, date } = claim;
  if (timestamp === undefined)
    throw new AwsError(
      'IncompleteSignatureException',
      "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
    );
  const parts = /^(?<day>(\d{4})(\d\d)(\d\d))T(\d\d)(\d\d)(\d\d)Z$/u.exec(timestamp);
  if (parts === null)
    throw new AwsError(
      'IncompleteSignatureException',
      `Date must be in ISO-8601 'basic format'. Got '${timestamp}'. See http://en.wikipedia.org/wiki/ISO_8601`,
    );
  const day = parts.groups?.['day'] ?? '';
  if (day !== date) {
    throw new AwsError(
      'InvalidSignatureException',
      `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${date}' != '${day}', from '${timestamp}'.`,
    );
  }
  const [, , year, month, dayOfMonth, hour, minute, second] = parts.map(Number);
  const signedMs = Date.UTC(year ?? 0, (month ?? 1) - 1, dayOfMonth, hour, minute, second);
  checkAge(claim, { timestamp, signedMs, nowMs });
  return timestamp;
}

function checkAge(
  { expires }: Claim,
  { timestamp, signedMs, nowMs }: { readonly timestamp: string; readonly signedMs: number; readonly nowMs: number },
): void {
  if (expires !== undefined) {
    const seconds = Number(expires);
    if (!/^\d{1,6}$/u.test(expires) || seconds < 1 || seconds > maxExpiresSeconds)
      throw new AwsError('IncompleteSignatureException', `X-Amz-Expires must be between 1 and ${maxExpiresSeconds} seconds`, 400, {
        s3: ['AuthorizationQueryParametersError', 400],
      });
    if (signedMs + seconds * 1000 < nowMs)
      throw new AwsError(
        'InvalidSignatureException',
        `Signature expired: ${timestamp} is now earlier than ${basic(nowMs - seconds * 1000)}`,
        400,
        {
          s3: ['AccessDenied', 403],
        },
      );
  } else if (signedMs < nowMs - skewMs)
    throw new AwsError(
      'InvalidSignatureException',
      `Signature expired: ${timestamp} is now earlier than ${basic(nowMs - skewMs)} (${basic(nowMs)} - 15 min.)`,
      400,
      skewed,
    );
  if (signedMs > nowMs + skewMs)
    throw new AwsError(
      'InvalidSignatureException',
      `Signature not yet current: ${timestamp} is still later than ${basic(nowMs + skewMs)} (${basic(nowMs)} + 15 min.)`,
      400,
      skewed,
    );
}

function basic(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d+/gu, '');
}
