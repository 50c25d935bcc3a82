import type { KnownResources } from '#sessions/known-resources.ts';
import { type ResourceKind, wordsOf } from '#sessions/resource-kind.ts';

/**
 * What a list without a row says. Auth shows what agents serve now and a role reaches, and not which of the two was lacking; of a list that
 * is not of now neither is known.
 */
export function nothingListed(
  kind: ResourceKind,
  { known, user }: { readonly known: KnownResources<unknown>; readonly user: string },
): string {
  const { noun, list } = wordsOf[kind];
  if (known.resources.length > 0) return `no ${noun} here has these labels and words: ${list} shows all`;
  if (known.stale) return `no ${noun} was listed then: ${list} shows what there is once the cluster answers`;
  const why = `tctl access explain --user=${user} --${kind}=<name> says why, to an administrator`;
  return `none of the roles of ${user} reaches ${kind === 'app' ? 'an' : 'a'} ${noun} here, or no agent serves one now: ${why}`;
}
