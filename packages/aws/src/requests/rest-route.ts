import type { RequestHead } from '#requests/aws-request.ts';
import { parseForm } from '#requests/form.ts';
import { headerValues } from '#requests/raw-headers.ts';
import { speaksS3 } from '#requests/service-table.ts';

type RoutedHead = Pick<RequestHead, 'method' | 'path' | 'query' | 'service'>;

/**
 * Whether a request is what a route of the tables says (`GET /credentials/*?withSecret`), read in every way that a router might: see
 * `readingsOf`; case ignored, HEAD as GET. What is taken for an operation that hands out keys, and is none, is refused; one that is missed
 * would hand them out.
 */
export function matchesRoute(head: RoutedHead, route: string): boolean {
  const [method = '', target = ''] = route.split(' ');
  const asked = head.method.toUpperCase();
  if ((asked === 'HEAD' ? 'GET' : asked) !== method) return false;
  const [path = '', needs] = target.split('?');
  if (needs !== undefined && !hasParameter(head, needs)) return false;
  const wanted = segmentsOf(path);
  return readingsOf(head.path).some(
    (given) => wanted.length === given.length && wanted.every((segment, i) => segment === '*' || segment === given[i]),
  );
}

/** Where frameworks look for another method than the one of the request line. */
const methodHeaders = ['x-http-method-override', 'x-http-method', 'x-method-override'];

/** Whether a request asks to be taken for one of another method, in a header or in its query string. */
export function overridesMethod({ headers, query }: Pick<RequestHead, 'headers' | 'query'>): boolean {
  return methodHeaders.some((name) => headerValues(headers, name).length > 0) || /(?:^|&)(?:_|%5f)method=/i.test(query);
}

function hasParameter({ query, service }: RoutedHead, name: string): boolean {
  const pairs = parseForm(query);
  if (pairs !== undefined) return pairs.some((pair) => pair.name.toLowerCase() === name.toLowerCase() && pair.value !== 'false');
  // Prefixes of keys hold anything, and S3 opens sessions at the hosts of S3 Express alone: elsewhere its name has to be there.
  if (!speaksS3(service) || service === 's3express') return true;
  return query.split(/[&;]/).some((pair) => decode(pair).split('=')[0]?.trim().toLowerCase() === name.toLowerCase());
}

/**
 * All that routers may see in a path: some split it and decode each segment, some (servlets, gateways) decode it and split then, or twice;
 * some take a backslash for a slash, some drop what follows a semicolon, some leave dots as they are.
 */
function readingsOf(path: string): readonly (readonly string[])[] {
  if (/^[\w/-]*$/.test(path)) return [segmentsOf(path)];
  const once = decode(path);
  const decoded = [path, once, decode(once)];
  const slashed = [...decoded, ...decoded.map((text) => text.replaceAll('\\', '/'))];
  const bare = [...slashed, ...slashed.map((text) => text.replaceAll(/;[^/]*/g, ''))];
  return [...new Set(bare)].flatMap((text) => [segmentsOf(text), plainSegmentsOf(text)]);
}

/** The segments that a router sees which splits, decodes each and follows dots. */
export function segmentsOf(path: string): readonly string[] {
  const segments: string[] = [];
  for (const raw of path.split('/')) {
    const segment = decode(raw).toLowerCase();
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(segment);
  }
  return segments;
}

function plainSegmentsOf(path: string): readonly string[] {
  return path
    .toLowerCase()
    .split('/')
    .filter((segment) => segment !== '');
}

/** Escapes that are none, and bytes that are no UTF-8, hide nothing that stands beside them. */
function decode(text: string): string {
  return text.replaceAll(/(?:%[\da-f]{2})+/gi, (escapes) => Buffer.from(escapes.replaceAll('%', ''), 'hex').toString());
}
