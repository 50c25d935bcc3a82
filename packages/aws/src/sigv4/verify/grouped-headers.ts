import { AUTHORITY, type Authorization } from '#sigv4/verify/authorization-header.ts';
import { isS3Family } from '#sigv4/canonical/canonical-path.ts';

/** By lower-cased name, values in wire order. */
export type GroupedHeaders = ReadonlyMap<string, readonly string[]>;

export function groupHeaders(raw: readonly string[]): GroupedHeaders {
  const headers = new Map<string, string[]>();
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] ?? '').toLowerCase();
    const values = headers.get(name);
    if (values === undefined) headers.set(name, [raw[i + 1] ?? '']);
    else values.push(raw[i + 1] ?? '');
  }
  return headers;
}

/** The value of a header that is there once; undefined where it is absent or doubled. */
export function singleValue(headers: GroupedHeaders, name: string): string | undefined {
  const values = headers.get(name);
  return values?.length === 1 ? values[0] : undefined;
}

/** RFC 9112 6.3: a request without either has no body. */
export function hasBody(headers: GroupedHeaders): boolean {
  return headers.has('transfer-encoding') || (headers.get('content-length') ?? []).some((length) => length !== '0');
}

/** Headers of which two copies are read differently by different parsers: one at most. */
const singleHeaders: ReadonlySet<string> = new Set([
  'authorization',
  'host',
  'content-type',
  'content-length',
  'date',
  'x-amz-date',
  'x-amz-target',
  'x-amz-content-sha256',
  'x-amz-decoded-content-length',
  'x-amz-region-set',
  'x-amz-security-token',
  'x-amz-trailer',
]);

/** What decides, at every service, what a request does or how its body is read. */
const alwaysSigned: ReadonlySet<string> = new Set([
  'x-amz-target',
  'x-amz-content-sha256',
  'x-amz-decoded-content-length',
  'x-amz-region-set',
  'x-amz-security-token',
  'x-amz-trailer',
]);

/** The first header that decides what the request does and is not covered by the signature, or is there twice. */
export function unsignedControlHeader(headers: GroupedHeaders, authorization: Authorization): string | undefined {
  const signed = new Set(authorization.signedHeaders);
  if (!signed.has('host') && !signed.has(AUTHORITY)) return 'host';
  const isS3 = isS3Family(authorization.service);
  for (const [name, values] of headers) {
    if (values.length > 1 && singleHeaders.has(name)) return name;
    const mustBeSigned = isS3 ? name.startsWith('x-amz-') : alwaysSigned.has(name);
    if (mustBeSigned && !signed.has(name)) return name;
  }
  return undefined;
}
