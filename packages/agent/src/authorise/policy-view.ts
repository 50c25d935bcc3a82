import type { Role } from '@postern/rbac';
import { type Lock, readLock } from '#authorise/lock.ts';

export interface KnownUser {
  readonly generation: string;
  readonly roles: readonly string[];
}

/** `role` is undefined where this version cannot read it: whoever holds it is refused, since it may deny. */
export interface KnownRole {
  readonly role: Role | undefined;
  readonly revision: string;
  readonly problem?: string;
}

/** One resource of the cluster as the watch delivered it. */
export interface WatchedResource {
  readonly kind: string;
  readonly name: string;
  readonly revision: string;
  readonly json: unknown;
}

export interface PolicyViewOptions {
  /** Strict parsing of a role resource; throws where a field or a version is not known. */
  readonly readRole: (json: unknown) => Role;
  readonly onUnreadable: (what: { readonly kind: string; readonly name: string; readonly reason: string }) => void;
}

/**
 * The agent's own view of users, roles, locks and ended sessions, fed by the watch on auth. It keeps two counters so that what was
 * computed from it can be kept until it changes, and no longer.
 */
export class PolicyView {
  readonly #options: PolicyViewOptions;
  readonly #users = new Map<string, KnownUser>();
  readonly #roles = new Map<string, KnownRole>();
  readonly #locks = new Map<string, Lock>();
  readonly #endedSessions = new Set<string>();
  readonly #listeners = new Set<() => void>();
  #rulesVersion = 1;
  #locksVersion = 1;

  constructor(options: PolicyViewOptions) {
    this.#options = options;
  }

  /** Another number after each change of a user or a role. */
  get rulesVersion(): number {
    return this.#rulesVersion;
  }
  get locksVersion(): number {
    return this.#locksVersion;
  }
  user(name: string): KnownUser | undefined {
    return this.#users.get(name);
  }
  role(name: string): KnownRole | undefined {
    return this.#roles.get(name);
  }
  locks(): Iterable<Lock> {
    return this.#locks.values();
  }
  /** Its own user ended it, before its certificate expires. */
  hasEnded(sessionId: string): boolean {
    return this.#endedSessions.has(sessionId);
  }
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  put(resource: WatchedResource): void {
    if (resource.kind === 'user') this.#putUser(resource);
    else if (resource.kind === 'role') this.#putRole(resource);
    else if (resource.kind === 'lock') this.#putLock(resource);
    else if (resource.kind === 'ended_session') this.#endedSessions.add(resource.name);
    else return;
    this.#changed(resource.kind);
  }

  remove(kind: string, name: string): void {
    const known = { user: this.#users, role: this.#roles, lock: this.#locks, ended_session: this.#endedSessions };
    if (Object.hasOwn(known, kind) && known[kind as keyof typeof known].delete(name)) this.#changed(kind);
  }

  #putUser(resource: WatchedResource): void {
    const user = readUser(resource.json);
    if (user) return void this.#users.set(resource.name, user);
    this.#users.delete(resource.name);
    this.#options.onUnreadable({ kind: 'user', name: resource.name, reason: 'no generation or roles in it' });
  }

  #putRole(resource: WatchedResource): void {
    try {
      this.#roles.set(resource.name, { role: this.#options.readRole(resource.json), revision: resource.revision });
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      this.#roles.set(resource.name, { role: undefined, revision: resource.revision, problem });
      this.#options.onUnreadable({ kind: 'role', name: resource.name, reason: problem });
    }
  }

  #putLock(resource: WatchedResource): void {
    const lock = readLock(resource.name, resource.json);
    // What cannot be read as a lock stops everyone: the administrator meant to stop somebody.
    this.#locks.set(
      resource.name,
      lock ?? { name: resource.name, target: {}, message: `lock ${resource.name} cannot be read`, expiresMs: undefined },
    );
    if (!lock) this.#options.onUnreadable({ kind: 'lock', name: resource.name, reason: 'no spec.target in it' });
  }

  #changed(kind: string): void {
    if (kind === 'lock') this.#locksVersion += 1;
    else if (kind !== 'ended_session') this.#rulesVersion += 1;
    for (const listener of this.#listeners) listener();
  }
}

/** Agents receive users reduced to name, generation and role names. */
function readUser(json: unknown): KnownUser | undefined {
  if (typeof json !== 'object' || json === null) return undefined;
  const { spec, metadata, generation } = json as {
    spec?: Record<string, unknown>;
    metadata?: Record<string, unknown>;
    generation?: unknown;
  };
  const found = [spec?.generation, metadata?.generation, generation].find((value) => typeof value === 'string');
  const roles = spec?.roles;
  if (typeof found !== 'string' || !Array.isArray(roles)) return undefined;
  return { generation: found, roles: roles.map(String) };
}
