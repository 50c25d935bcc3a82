import { encodeBytes, wireBytes } from '#sigv4/canonical/percent-encoding.ts';

/**
 * Services whose canonical path is the wire path itself, neither normalised nor encoded again: an S3 key may hold '..', '//' and '.', and
 * cleaning it signs for another object. Source: `disableDoubleEncoding` in the rule sets of S3 and S3 Control.
 */
const rawPathServices: ReadonlySet<string> = new Set(['s3', 's3-outposts', 's3-object-lambda', 's3express']);

export function isS3Family(service: string): boolean {
  return rawPathServices.has(service);
}

/**
 * The path line of the canonical request. `wirePath` is what travels, and goes on travelling as it is; only the signature sees this form.
 * Never pass the path through URL: it collapses `..` and `%2e`.
 */
export function canonicalPath(wirePath: string, service: string): string {
  if (wirePath === '/' || wirePath === '') return '/';
  if (isS3Family(service)) return wirePath;
  const segments: string[] = [];
  for (const segment of wirePath.split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(segment);
  }
  const normalised = `/${segments.join('/')}${segments.length > 0 && wirePath.endsWith('/') ? '/' : ''}`;
  return encodeBytes(wireBytes(normalised), { keepSlash: true });
}
