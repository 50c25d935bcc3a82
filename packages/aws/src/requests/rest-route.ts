import type { RequestHead } from '#requests/aws-request.ts';
import { parseForm } from '#requests/form.ts';

/**
 * Whether a request is what a route of the tables says (`GET /credentials/*?withSecret`). Read as generously as any router might: escapes
 * decoded, empty and dot segments gone, case ignored, HEAD as GET. What is taken for an operation that hands out keys, and is none, is
 * refused; one that is missed would hand them out.
 */
export function matchesRoute(head: Pick<RequestHead, 'method' | 'path' | 'query'>, route: string): boolean {
  const [method = '', target = ''] = route.split(' ');
  const asked = head.method === 'HEAD' ? 'GET' : head.method;
  if (asked !== method) return false;
  const [path = '', needs] = target.split('?');
  if (needs !== undefined && !hasParameter(head.query, needs)) return false;
  const wanted = segmentsOf(path);
  const given = segmentsOf(head.path);
  return wanted.length === given.length && wanted.every((segment, i) => segment === '*' || segment === given[i]);
}

function hasParameter(query: string, name: string): boolean {
  const pairs = parseForm(query);
  return pairs === undefined || pairs.some((pair) => pair.name.toLowerCase() === name.toLowerCase() && pair.value !== 'false');
}

/** The segments that a router may see. */
export function segmentsOf(path: string): readonly string[] {
  const segments: string[] = [];
  for (const raw of path.split('/')) {
    const segment = decode(raw).toLowerCase();
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(segment);
  }
  return segments;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
