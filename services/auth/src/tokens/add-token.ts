import { randomBytes } from 'node:crypto';
import { PosternError } from '@postern/api';
import { limits } from '@postern/limits';
import { validateApp } from '@postern/resources';
import { type Store, StoreError } from '@postern/store';
import type { BoundName } from '#hosts/host-record.ts';
import { requireOwnLabels } from '#presence/labels.ts';
import { keys } from '#state/keys.ts';
import { hashToken, isJoinRole, type JoinRole, maskToken, type TokenRecord, tokenId } from '#tokens/token.ts';
import type { Trail } from '#trail/act.ts';

export interface NewToken {
  readonly roles: readonly string[];
  /** Empty: 16 random bytes as hex. */
  readonly value: string;
  /** 0: half an hour. */
  readonly ttlMs: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly boundNames: readonly BoundName[];
  readonly bindsAnyName?: true;
  /** 0: as often as wanted until it expires. */
  readonly maxUses: number;
  readonly createdBy: string;
}

export const DEFAULT_TOKEN_TTL_MS = 30 * 60_000;
const MAX_TOKEN_TTL_MS = 365 * 24 * 3_600_000;
/** Kept for a day after it expired, so that the audit log can tell an expired token from an unknown one. */
export const KEPT_AFTER_EXPIRY_MS = 24 * 3_600_000;
const MAX_VALUE_LENGTH = 256;

export interface TokenDeps {
  readonly store: Store;
  readonly trail: Trail;
  readonly nowMs: () => number;
}

/** Resolves with the token: the only time that anybody sees it. */
export async function addToken(deps: TokenDeps, asked: NewToken): Promise<{ readonly token: string; readonly record: TokenRecord }> {
  const nowMs = deps.nowMs();
  const token = asked.value === '' ? randomBytes(limits.tokenBits / 8).toString('hex') : requireTokenValue(asked.value);
  const ttlMs = asked.ttlMs === 0 ? DEFAULT_TOKEN_TTL_MS : asked.ttlMs;
  if (!(ttlMs > 0 && ttlMs <= MAX_TOKEN_TTL_MS))
    throw new PosternError('bad_request', 'a token lives from 1 second to 365 days: give another --ttl');
  if (!Number.isInteger(asked.maxUses) || asked.maxUses < 0) throw new PosternError('bad_request', 'the number of uses is a whole number');
  const roles = requireRoles(asked.roles);
  requireOwnLabels(asked.labels);
  const hash = hashToken(token);
  const record: TokenRecord = {
    id: tokenId(hash),
    masked: maskToken(token),
    roles,
    boundNames: asked.boundNames.map((bound) => requireRoleFor(bound, roles)),
    ...(asked.bindsAnyName === true ? { bindsAnyName: true } : {}),
    labels: { ...asked.labels },
    ...(asked.maxUses === 0 ? {} : { usesLeft: asked.maxUses }),
    expiresMs: nowMs + ttlMs,
    createdMs: nowMs,
    createdBy: asked.createdBy,
  };
  if ((await deps.store.get(keys.token(hash))) !== undefined) throw taken();
  await deps.trail.record({
    kind: 'join_token.create',
    code: 'TJT00I',
    user: asked.createdBy,
    resource: `token/${record.id}`,
    fields: {
      name: record.masked,
      roles,
      join_method: 'token',
      bound_names: record.boundNames,
      expires: new Date(nowMs + ttlMs).toISOString(),
    },
  });
  try {
    await deps.store.create(keys.token(hash), JSON.stringify(record), { expiresMs: nowMs + ttlMs + KEPT_AFTER_EXPIRY_MS });
  } catch (error) {
    if (error instanceof StoreError && error.code === 'exists') throw taken();
    throw error;
  }
  return { token, record };
}

/** A token that a person chose has to be as hard to guess as one may ask of a person. */
export function requireTokenValue(value: string): string {
  if (mostBits(value) < limits.tokenBits || value.length > MAX_VALUE_LENGTH || value.trim() !== value) {
    throw new PosternError(
      'bad_request',
      `a token has at least ${limits.tokenBits} bits (32 hexadecimal digits, or about 22 letters and digits), at most ${MAX_VALUE_LENGTH} characters and no spaces around them: leave --value out to have one made`,
    );
  }
  return value;
}

/** How hard a text is to guess if it is as random as its alphabet allows: an upper bound, which is all that can be known. */
function mostBits(value: string): number {
  if (/^[0-9a-f]*$/iu.test(value)) return value.length * 4;
  const sizes = [
    /[0-9]/u.test(value) ? 10 : 0,
    /[a-z]/u.test(value) ? 26 : 0,
    /[A-Z]/u.test(value) ? 26 : 0,
    /[^0-9a-zA-Z]/u.test(value) ? 33 : 0,
  ];
  return Math.log2(sizes.reduce((sum, size) => sum + size, 0)) * value.length;
}

function requireRoles(roles: readonly string[]): readonly JoinRole[] {
  const known = [...new Set(roles.map((role) => role.toLowerCase()))];
  const unknown = known.find((role) => !isJoinRole(role));
  if (unknown !== undefined || known.length === 0) {
    throw new PosternError('bad_request', `token type ${JSON.stringify(unknown ?? '')}: use db, app or proxy`);
  }
  return known.filter(isJoinRole);
}

function requireRoleFor(bound: BoundName, roles: readonly JoinRole[]): BoundName {
  if (!roles.includes(bound.kind))
    throw new PosternError('bad_request', `${bound.kind} name ${bound.name}: the token's type is ${roles.join(',')}`);
  if (bound.kind === 'app') requireApp(bound);
  else if (!/^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(bound.name)) {
    throw new PosternError(
      'bad_request',
      `${bound.kind} name ${JSON.stringify(bound.name.slice(0, 80))}: a letter first, then letters, digits and hyphens, at most 63`,
    );
  }
  return bound;
}

/** Held to the rule for files and resources, so that no token is made for what no agent may serve. */
function requireApp({ name, uri }: BoundName): void {
  const [problem] = validateApp({ name, labels: {}, ...(uri === undefined ? { cloud: 'AWS' } : { uri }) });
  if (problem === undefined) return;
  const [flag, value] = problem.path.includes('uri') ? ['--app-uri', uri] : ['--app-name', name];
  const { message } = problem;
  throw new PosternError(
    'bad_request',
    `${flag} ${JSON.stringify(value?.slice(0, 80))}${/^(?:is|has) /.test(message) ? '' : ':'} ${message}`,
  );
}

function taken(): PosternError {
  return new PosternError('already_exists', 'this token cannot be created because it exists: give another --value');
}
