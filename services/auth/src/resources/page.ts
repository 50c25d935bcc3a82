import { timingSafeEqual } from 'node:crypto';
import { PosternError } from '@postern/api';
import type { Sealer } from '#seal/sealer.ts';

const DEFAULT_PAGE_SIZE = 200;
const MAX_PAGE_SIZE = 1000;
/** A gRPC message holds 4 MiB; a page leaves room for its frame. */
const MAX_PAGE_BYTES = 3 * 1024 * 1024;
const CONTEXT = 'page token';

export interface PageRequest<T> {
  readonly items: readonly T[];
  readonly positionOf: (item: T) => string;
  readonly bytesOf: (item: T) => number;
  /** What is listed: a token of one listing is refused by another. */
  readonly scope: string;
  readonly pageSize: number;
  readonly pageToken: string;
}

/** The page after the token's position. The token is sealed with a MAC: one that was edited is refused, not guessed at. */
export function takePage<T>(sealer: Sealer, request: PageRequest<T>): { readonly page: readonly T[]; readonly nextPageToken: string } {
  const after = request.pageToken === '' ? undefined : readPageToken(sealer, request);
  const rest = after === undefined ? request.items : request.items.filter((item) => request.positionOf(item) > after);
  const limit = request.pageSize > 0 ? Math.min(request.pageSize, MAX_PAGE_SIZE) : DEFAULT_PAGE_SIZE;
  const page: T[] = [];
  let bytes = 0;
  for (const item of rest.slice(0, limit)) {
    bytes += request.bytesOf(item);
    if (page.length > 0 && bytes > MAX_PAGE_BYTES) break;
    page.push(item);
  }
  const last = page.at(-1);
  const nextPageToken =
    last === undefined || page.length === rest.length ? '' : writePageToken(sealer, request.scope, request.positionOf(last));
  return { page, nextPageToken };
}

function writePageToken(sealer: Sealer, scope: string, position: string): string {
  const mac = sealer.mac(`${scope}\0${position}`, CONTEXT).toString('base64url');
  return `${Buffer.from(position).toString('base64url')}.${mac}`;
}

function readPageToken(sealer: Sealer, request: { readonly scope: string; readonly pageToken: string }): string {
  const [encoded = '', given = ''] = request.pageToken.split('.');
  const position = Buffer.from(encoded, 'base64url').toString('utf8');
  const expected = sealer.mac(`${request.scope}\0${position}`, CONTEXT);
  const mac = Buffer.from(given, 'base64url');
  if (mac.length !== expected.length || !timingSafeEqual(mac, expected))
    throw new PosternError('bad_request', 'the page token is not one that was given out here');
  return position;
}
