import { LRUCache } from 'lru-cache';
import type { AssumeRoleCall } from '#credentials/assume-role.ts';

/** What a call carries beyond the role itself, and what a role's trust policy may refuse. */
export type Extras = { readonly tags: boolean; readonly sourceIdentity: boolean };

/** Trust policies get mended: after this long the extras are tried again. */
const rememberMs = 30 * 60_000;
const maxRoles = 1000;

/** Remembers, for a while, which roles refuse session tags or a source identity, so that each call need not be made twice. */
export class RefusedExtras {
  readonly #roles = new LRUCache<string, Extras & { readonly untilMs: number }>({ max: maxRoles });
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  of(roleArn: string): Extras {
    const known = this.#roles.get(roleArn);
    return known !== undefined && known.untilMs > this.#now() ? known : { tags: false, sourceIdentity: false };
  }

  /** True when this is news, so that one warning is enough. */
  remember(roleArn: string, refused: Extras): boolean {
    const known = this.of(roleArn);
    const tags = known.tags || refused.tags;
    const sourceIdentity = known.sourceIdentity || refused.sourceIdentity;
    this.#roles.set(roleArn, { tags, sourceIdentity, untilMs: this.#now() + rememberMs });
    return tags !== known.tags || sourceIdentity !== known.sourceIdentity;
  }
}

export function extrasOf(call: AssumeRoleCall): Extras {
  return { tags: Object.keys(call.tags).length > 0, sourceIdentity: call.sourceIdentity !== undefined };
}

export function withoutExtras(call: AssumeRoleCall, refused: Extras): AssumeRoleCall {
  return { ...call, tags: refused.tags ? {} : call.tags, sourceIdentity: refused.sourceIdentity ? undefined : call.sourceIdentity };
}

/** What STS names in its refusal; where it names neither, whatever was sent is suspect. */
export function extrasNamedIn(detail: string | undefined, sent: Extras): Extras {
  const tags = sent.tags && detail?.includes('sts:TagSession') === true;
  const sourceIdentity = sent.sourceIdentity && detail?.includes('sts:SetSourceIdentity') === true;
  return tags || sourceIdentity ? { tags, sourceIdentity } : sent;
}
