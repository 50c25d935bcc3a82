import { parseForm } from '#requests/form.ts';
import type { RequestHead } from '#requests/aws-request.ts';
import { headerValues } from '#requests/raw-headers.ts';
import { s3Lines } from '#requests/services.generated.ts';

type S3Route = {
  readonly method: string;
  readonly level: string;
  readonly operation: string;
  readonly query: readonly string[];
  readonly headers: readonly string[];
};

let routes: readonly S3Route[] | undefined;

function s3Routes(): readonly S3Route[] {
  routes ??= s3Lines
    .trim()
    .split('\n')
    .map((line) => {
      const [method = '', level = '', operation = '', needs = ''] = line.split(' ');
      const all = needs.split(',').filter((need) => need !== '');
      const headers = all.filter((need) => need.endsWith(':')).map((need) => need.slice(0, -1));
      return { method, level, operation, query: all.filter((need) => !need.endsWith(':')), headers };
    });
  return routes;
}

/**
 * S3's name of a request: S3 tells its operations apart by method, by whether bucket and key are named, by sub-resources in the query and by
 * one header. Undefined for what the table does not know. The SDKs' own `x-id` is their word only and is not read.
 */
export function s3Operation(head: Pick<RequestHead, 'method' | 'path' | 'query' | 'headers' | 'target'>): string | undefined {
  const level = levelOf(head.path, head.target?.bucket !== undefined);
  const pairs = parseForm(head.query);
  // `?x=%FF&policy` may be the policy to S3
  if (pairs === undefined) return undefined;
  const given = new Set<string>();
  const bare: string[] = [];
  for (const { name, value, raw } of pairs) {
    given.add(name).add(`${name}=${value}`);
    if (!raw.includes('=')) bare.push(name);
  }
  let best: S3Route | undefined;
  for (const route of s3Routes()) {
    if (route.method !== head.method || route.level !== level) continue;
    if (!route.query.every((need) => given.has(need))) continue;
    if (!route.headers.every((name) => headerValues(head.headers, name).length > 0)) continue;
    if (best === undefined || conditions(route) > conditions(best)) best = route;
  }
  // a name alone is a sub-resource: one that is not the route's is news to the table, and the request something else
  return best !== undefined && bare.every((name) => best.query.includes(name)) ? best.operation : undefined;
}

function conditions(route: S3Route): number {
  return route.query.length + route.headers.length;
}

function levelOf(path: string, bucketInHost: boolean): string {
  const text = path.slice(1);
  if (bucketInHost) return text === '' ? 'bucket' : 'object';
  if (text === '') return 'service';
  const slash = text.indexOf('/');
  return slash < 0 || slash === text.length - 1 ? 'bucket' : 'object';
}
