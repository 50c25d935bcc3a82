export interface LockResource {
  readonly spec: { readonly target: Readonly<Record<string, string | undefined>>; readonly expires?: string | null | undefined };
}

export function isLock(value: unknown): value is LockResource {
  const target = (value as Partial<LockResource> | undefined)?.spec?.target;
  return typeof target === 'object' && target !== null;
}

const hostFields = new Set(['server_id', 'node']);

/**
 * The ids of hosts that a lock names. A lock with several fields counts where all of them match, so one that names a
 * user as well says nothing about a tunnel.
 */
export function lockedHosts(locks: readonly LockResource[], nowMs: number): ReadonlySet<string> {
  const ids = new Set<string>();
  for (const { spec } of locks) {
    if (spec.expires && Date.parse(spec.expires) <= nowMs) continue;
    const fields = Object.entries(spec.target).filter(([, value]) => value !== undefined && value !== '');
    const named = new Set(fields.map(([, value]) => value ?? ''));
    const [only] = named;
    if (only !== undefined && named.size === 1 && fields.every(([field]) => hostFields.has(field))) ids.add(only);
  }
  return ids;
}
