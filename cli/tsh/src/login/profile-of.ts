import type { SignInResponse } from '@postern/api';
import { certificateDerOf, identityOf } from '@postern/pki';
import type { Profile } from '@postern/profile/profile';

export interface ProfileSource {
  readonly proxy: string;
  readonly answer: SignInResponse;
  readonly verified: boolean;
  /** The sign-in at the proxy whose place this one takes. */
  readonly before: Profile | undefined;
}

/** What the certificate says of the user, so that later commands need not parse it to show it. */
export function profileOf({ proxy, answer, verified, before }: ProfileSource): Profile {
  const identity = identityOf(certificateDerOf(answer.certificatePem));
  return {
    proxy,
    user: identity.name,
    cluster: answer.cluster,
    roles: identity.roles,
    traits: Object.fromEntries(Object.entries(identity.traits).map(([name, { values }]) => [name, values])),
    hostCaPems: answer.hostCaPems,
    verified,
    validUntilMs: answer.validUntilMs,
    sinceMs: before?.user === identity.name ? before.sinceMs : Date.now(),
  };
}
