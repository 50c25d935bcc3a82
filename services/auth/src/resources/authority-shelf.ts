import type { Authorities } from '#authorities/authorities.ts';
import type { ShownResource } from '#resources/shelf.ts';

/** The authorities' public part. Their keys are never shown: whoever holds one is the cluster. */
export function authorityResources(authorities: Authorities): readonly ShownResource[] {
  return (['host', 'user'] as const).map((kind) => {
    const certs = authorities.trustedPems(kind).map((pem) => ({ cert: pem }));
    const [active, ...trusted] = certs;
    return {
      name: kind,
      revision: '',
      resource: {
        kind: 'cert_authority',
        version: 'v2',
        sub_kind: kind,
        metadata: { name: authorities.cluster },
        spec: {
          type: kind,
          cluster_name: authorities.cluster,
          active_keys: { tls: active === undefined ? [] : [active] },
          ...(trusted.length > 0 ? { additional_trusted_keys: { tls: trusted } } : {}),
        },
      },
    };
  });
}
