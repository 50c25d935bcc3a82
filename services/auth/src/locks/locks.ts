import { PosternError } from '@postern/api';
import type { Entry, Store } from '@postern/store';
import { readResource } from '#resources/stored-resource.ts';

/** An administrator's stop: in force where every field of its target matches. */
export interface Lock {
  readonly name: string;
  readonly target: LockTarget;
  readonly message?: string;
  readonly expiresMs?: number;
}
export interface LockTarget {
  readonly user?: string;
  readonly role?: string;
  readonly server_id?: string;
  /** The old name of server_id. */
  readonly node?: string;
  readonly join_token?: string;
}
/** Whom a lock may be on, as far as the caller is concerned. */
export interface LockSubject {
  readonly user?: string;
  readonly roles?: readonly string[];
  readonly hostId?: string;
  readonly tokenId?: string;
}

export async function requireUnlocked(deps: { readonly store: Store; readonly nowMs: () => number }, subject: LockSubject): Promise<void> {
  const lock = await findLock(deps, subject);
  if (lock !== undefined) throw lockedBy(lock);
}

export async function findLock(
  deps: { readonly store: Store; readonly nowMs: () => number },
  subject: LockSubject,
): Promise<Lock | undefined> {
  const nowMs = deps.nowMs();
  for (const entry of await deps.store.list('locks/')) {
    const lock = readLock(entry);
    if ((lock.expiresMs ?? Number.POSITIVE_INFINITY) > nowMs && matches(lock.target, subject)) return lock;
  }
  return undefined;
}

export function lockedBy(lock: Lock): PosternError {
  const target = Object.entries(lock.target).map(([field, value]) => `${field} ${JSON.stringify(value)}`);
  return new PosternError('locked', `lock in force on ${target.join(', ')}${lock.message === undefined ? '' : `: ${lock.message}`}`);
}

/**
 * A field that auth cannot compare (a desktop, a device) matches nobody by itself, and a target without a field that it
 * knows is refused when it is written, so no lock is silently without effect.
 */
export function matches(target: LockTarget, subject: LockSubject): boolean {
  const fields = Object.entries(target);
  return fields.length > 0 && fields.every(([field, value]) => fieldMatches(field, value, subject));
}

function fieldMatches(field: string, value: string, subject: LockSubject): boolean {
  if (field === 'user') return subject.user === value;
  if (field === 'role') return subject.roles?.includes(value) ?? false;
  if (field === 'server_id' || field === 'node') return subject.hostId === value;
  if (field === 'join_token') return subject.tokenId === value;
  return false;
}

export function readLock(entry: Entry): Lock {
  const { metadata, spec } = readResource(entry);
  const target = (spec['target'] ?? {}) as LockTarget;
  const expires = spec['expires'];
  return {
    name: metadata.name,
    target,
    ...(typeof spec['message'] === 'string' ? { message: spec['message'] } : {}),
    ...(typeof expires === 'string' ? { expiresMs: Date.parse(expires) } : {}),
  };
}
