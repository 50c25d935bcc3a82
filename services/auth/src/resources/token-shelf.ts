import type { Entry, Store } from '@postern/store';
import { PosternError } from '@postern/api';
import type { BoundName } from '#hosts/host-record.ts';
import { requireOwnLabels } from '#presence/labels.ts';
import type { Shelf, ShownResource } from '#resources/shelf.ts';
import type { ResourceJson } from '#resources/stored-resource.ts';
import { keys } from '#state/keys.ts';
import { DEFAULT_TOKEN_TTL_MS, KEPT_AFTER_EXPIRY_MS, requireTokenValue } from '#tokens/add-token.ts';
import { findToken } from '#tokens/delete-token.ts';
import { isUsable } from '#tokens/list-tokens.ts';
import { hashToken, type JoinRole, maskToken, readToken, type TokenRecord, tokenId } from '#tokens/token.ts';

/**
 * Join tokens as resources. In a file that is written, `metadata.name` is the token itself, as in Teleport; what is read
 * back names it by its id, because the token is not stored.
 */
export function tokenShelf(deps: { readonly store: Store; readonly nowMs: () => number }): Shelf {
  return {
    kind: 'token',
    prefix: 'tokens/',
    acts: { create: ['join_token.create', 'TJT00I'], update: ['join_token.create', 'TJT00I'], delete: ['join_token.delete', 'TJT01I'] },
    show: (entry) => (isUsable(readToken(entry), deps.nowMs()) ? shownToken(entry) : undefined),
    writing: {
      keyOf: (name) => keys.token(hashToken(name)),
      plan: async ({ resource, person }) => {
        const record = recordOf(resource, { nowMs: deps.nowMs(), createdBy: person.name });
        return {
          value: JSON.stringify(record),
          expiresMs: (record.expiresMs ?? 0) + KEPT_AFTER_EXPIRY_MS,
          with: [],
          recordedAs: record.id,
          fields: { masked: record.masked, roles: record.roles, join_method: 'token', bound_names: record.boundNames },
        };
      },
    },
    planDelete: async () => [],
    find: async (name) => {
      const entry = await findToken(deps, name);
      return entry === undefined ? [] : [entry];
    },
  };
}

function recordOf(resource: ResourceJson, made: { readonly nowMs: number; readonly createdBy: string }): TokenRecord {
  const { metadata } = resource;
  const spec = resource.spec as {
    roles: string[];
    bound_names?: { db?: string[]; app?: string[] };
    labels?: Record<string, string>;
    max_uses?: number;
  };
  const token = requireTokenValue(metadata.name);
  const expiresMs = metadata.expires === undefined ? made.nowMs + DEFAULT_TOKEN_TTL_MS : Date.parse(metadata.expires);
  if (expiresMs <= made.nowMs) throw new PosternError('bad_request', 'metadata.expires lies in the past');
  const labels = spec.labels ?? {};
  requireOwnLabels(labels);
  const hash = hashToken(token);
  const boundNames: BoundName[] = [
    ...(spec.bound_names?.db ?? []).map((name) => ({ kind: 'db' as const, name })),
    ...(spec.bound_names?.app ?? []).map((name) => ({ kind: 'app' as const, name })),
  ];
  return {
    id: tokenId(hash),
    masked: maskToken(token),
    roles: spec.roles.map((role) => role.toLowerCase() as JoinRole),
    boundNames,
    labels,
    ...(spec.max_uses === undefined ? {} : { usesLeft: spec.max_uses }),
    expiresMs,
    createdMs: made.nowMs,
    createdBy: made.createdBy,
  };
}

function shownToken(entry: Entry): ShownResource {
  const token = readToken(entry);
  const names = (kind: 'db' | 'app') => token.boundNames.filter((bound) => bound.kind === kind).map(({ name }) => name);
  const bound = { ...(names('db').length > 0 ? { db: names('db') } : {}), ...(names('app').length > 0 ? { app: names('app') } : {}) };
  return {
    name: token.id,
    revision: entry.revision,
    resource: {
      kind: 'token',
      version: 'v2',
      metadata: { name: token.id, ...(token.expiresMs === undefined ? {} : { expires: new Date(token.expiresMs).toISOString() }) },
      spec: {
        roles: token.roles,
        join_method: 'token',
        ...(Object.keys(bound).length > 0 ? { bound_names: bound } : {}),
        ...(Object.keys(token.labels).length > 0 ? { labels: token.labels } : {}),
        ...(token.usesLeft === undefined ? {} : { max_uses: token.usesLeft }),
      },
    },
  };
}
