import type { SignInResponse } from '@postern/api';
import { certificateDerOf, identityOf } from '@postern/pki';
import type { Profile } from '@postern/profile/profile';

/** What the certificate says of the user, so that later commands need not parse it to show it. */
export function profileOf(options: { readonly proxy: string; readonly answer: SignInResponse; readonly verified: boolean }): Profile {
  const { proxy, answer, verified } = options;
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
  };
}
