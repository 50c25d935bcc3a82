import type { Store } from '@postern/store';
import { changeEntry } from '#state/change-entry.ts';
import { keys } from '#state/keys.ts';

const MAX_FAILURES = 5;
const LOCK_OUT_MS = 30 * 60_000;

interface Attempts {
  readonly count: number;
  readonly lockedUntilMs?: number;
}

export interface AttemptDeps {
  readonly store: Store;
  readonly nowMs: () => number;
}

/**
 * Counts an attempt BEFORE the password is checked, by compare-and-set: however many guesses run at once, on however many
 * auth servers, five are checked and no more. False where the name is locked out; names that nobody has are counted too,
 * so that neither the answer nor the work done tells whether an account exists.
 */
export async function beginAttempt(
  deps: AttemptDeps,
  canonicalName: string,
): Promise<{ readonly admitted: boolean; readonly lockedOutNow: boolean }> {
  const nowMs = deps.nowMs();
  let admitted = false;
  let lockedOutNow = false;
  await changeEntry(deps.store, keys.attempts(canonicalName), (entry) => {
    const before: Attempts = entry === undefined || (entry.expiresMs ?? 0) <= nowMs ? { count: 0 } : (JSON.parse(entry.value) as Attempts);
    admitted = before.lockedUntilMs === undefined || before.lockedUntilMs <= nowMs;
    lockedOutNow = false;
    if (!admitted) return undefined;
    const count = before.lockedUntilMs === undefined ? before.count + 1 : 1;
    lockedOutNow = count >= MAX_FAILURES;
    const after: Attempts = lockedOutNow ? { count, lockedUntilMs: nowMs + LOCK_OUT_MS } : { count };
    return { value: JSON.stringify(after), expiresMs: nowMs + LOCK_OUT_MS };
  });
  return { admitted, lockedOutNow };
}

/** After the right password, and when an administrator resets it: the count begins anew. */
export async function forgetAttempts(deps: Pick<AttemptDeps, 'store'>, canonicalName: string): Promise<void> {
  await deps.store.delete(keys.attempts(canonicalName));
}

/** Until when a name is locked out, for the administrators' view of a user. */
export async function lockedOutUntilMs(deps: AttemptDeps, canonicalName: string): Promise<number | undefined> {
  const entry = await deps.store.get(keys.attempts(canonicalName));
  if (entry === undefined) return undefined;
  const { lockedUntilMs } = JSON.parse(entry.value) as Attempts;
  return lockedUntilMs !== undefined && lockedUntilMs > deps.nowMs() ? lockedUntilMs : undefined;
}
