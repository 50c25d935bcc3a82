import { PosternError } from '@postern/api/errors';
import type { SignedIn } from '@postern/profile/signed-in';
import { warn } from '@postern/terminal/output';
import { type VisibleApp, visibleApps } from '#apps/visible-apps.ts';
import { knownResources } from '#sessions/known-resources.ts';
import { unknownResource } from '#sessions/resource-kind.ts';

/** Rejects with the name that was probably meant, where one is close. */
export async function findApp(who: SignedIn, name: string): Promise<VisibleApp> {
  const { resources, stale } = await knownResources(who, 'app', () => visibleApps(who));
  if (stale !== undefined) warn(`${stale.because}: the applications are as of ${stale.asOf}`);
  const found = resources.find((app) => app.name === name);
  if (found !== undefined) return found;
  const close = closest(
    name,
    resources.map((app) => app.name),
  );
  const unknown = unknownResource('app', name);
  throw close === undefined ? unknown : new PosternError('not_found', `${unknown.message} (did you mean ${close}?)`);
}

/** At most two of its letters, or a third, are others. */
export function closest(name: string, names: readonly string[]): string | undefined {
  const measured = names.map((other) => ({ other, distance: distance(name.toLowerCase(), other.toLowerCase()) }));
  const [best] = measured.sort((a, b) => a.distance - b.distance);
  return best !== undefined && best.distance <= Math.max(2, Math.floor(name.length / 3)) && best.distance < name.length
    ? best.other
    : undefined;
}

/** Levenshtein. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
