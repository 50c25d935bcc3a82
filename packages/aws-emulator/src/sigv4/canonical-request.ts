import { type RequestHead, headerValues, splitTarget } from '#exchange/request-head.ts';
import { percentDecode, percentEncode } from '#sigv4/percent.ts';

export interface Canonical {
  readonly signedHeaders: readonly string[];
  readonly payloadHash: string;
  /** S3 and its relatives sign the path as it stands on the wire; all others normalise it and encode it once more. */
  readonly verbatimPath: boolean;
}

/**
 * The canonical request of "Create a signed AWS API request" (IAM user guide): the query sorted and without the signature of a
 * pre-signed URL, the named headers in lower case with single spaces. Its characters are bytes (latin1).
 */
export function canonicalRequest(head: RequestHead, { signedHeaders, payloadHash, verbatimPath }: Canonical): string {
  const { path, query } = splitTarget(head);
  const headers = signedHeaders.map((name) => `${name}:${headerValues(head, name).map(singleSpaces).join(',')}\n`).join('');
  const uri = verbatimPath ? path : canonicalPath(path);
  return [head.method, uri, canonicalQuery(query), headers, signedHeaders.join(';'), payloadHash].join('\n');
}

function singleSpaces(value: string): string {
  return value.trim().replace(/[ \t]+/gu, ' ');
}

function canonicalPath(path: string): string {
  const segments: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(percentEncode(Buffer.from(segment, 'latin1')));
  }
  const slash = segments.length > 0 && path.endsWith('/') ? '/' : '';
  return `/${segments.join('/')}${slash}`;
}

function canonicalQuery(query: string): string {
  if (query === '') return '';
  const pairs = query.split('&').map((pair): readonly [string, string] => {
    const at = pair.indexOf('=');
    return at < 0 ? [reencode(pair), ''] : [reencode(pair.slice(0, at)), reencode(pair.slice(at + 1))];
  });
  return pairs
    .filter(([name]) => name !== 'X-Amz-Signature')
    .sort(([leftName, leftValue], [rightName, rightValue]) => compare(leftName, rightName) || compare(leftValue, rightValue))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

function compare(left: string, right: string): number {
  return left < right ? -1 : Number(left > right);
}

function reencode(text: string): string {
  return percentEncode(percentDecode(text));
}
