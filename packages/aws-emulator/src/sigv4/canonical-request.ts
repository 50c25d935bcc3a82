import { type Received, headerValues } from '#received.ts';

/**
 * The canonical request of "Create a signed AWS API request" (IAM user guide), for services other than S3: the path is
 * normalised and encoded once more, the query sorted, the named headers in lower case with single spaces.
 */
export function canonicalRequest(request: Received, signedHeaders: readonly string[], payloadHash: string): string {
  const mark = request.target.indexOf('?');
  const path = mark < 0 ? request.target : request.target.slice(0, mark);
  const query = mark < 0 ? '' : request.target.slice(mark + 1);
  const headers = signedHeaders.map((name) => `${name}:${headerValues(request, name).map(singleSpaces).join(',')}\n`).join('');
  return [request.method, canonicalPath(path), canonicalQuery(query), headers, signedHeaders.join(';'), payloadHash].join('\n');
}

function singleSpaces(value: string): string {
  return value.trim().replace(/[ \t]+/gu, ' ');
}

function canonicalPath(path: string): string {
  const segments: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(encode(segment));
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
    .sort(([leftName, leftValue], [rightName, rightValue]) => compare(leftName, rightName) || compare(leftValue, rightValue))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

function compare(left: string, right: string): number {
  return left < right ? -1 : Number(left > right);
}

function reencode(text: string): string {
  try {
    return encode(decodeURIComponent(text));
  } catch {
    return encode(text);
  }
}

/** RFC 3986: all but letters, digits and - . _ ~ */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/gu, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}
