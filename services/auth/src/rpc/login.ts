import type { Handlers, LoginService } from '@postern/api';
import { type SignInDeps, signIn } from '#login/sign-in.ts';

export function loginHandlers(deps: SignInDeps): Handlers<typeof LoginService> {
  return {
    signIn: async (request, { caller }) => {
      const { user, password, publicKey, ttlSeconds } = request;
      const askedTtlMs = ttlSeconds > 0 ? ttlSeconds * 1000 : undefined;
      const issued = await signIn(deps, { user, password, publicKey, ttlMs: askedTtlMs, address: caller.address });
      return {
        certificatePem: issued.certificatePem,
        hostCaPems: [...deps.authorities.trustedPems('host')],
        cluster: deps.authorities.cluster,
        validUntilMs: issued.notAfterMs,
      };
    },
  };
}
