import type { ResourceOf } from '#resource.ts';

/** An application as agents serve it, from a resource or from an agent's own file: the AWS console and API of one partition. */
export interface App {
  readonly name: string;
  readonly description?: string;
  /** Where the console opens, and which partition it is; `defaultAppUri` where only `cloud: AWS` was written. */
  readonly uri?: string;
  readonly cloud?: 'AWS';
  /** The host name under which browsers reach it; without one it is `<name>.<address of the proxy>`. */
  readonly publicAddress?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly externalId?: string;
  readonly ownHosts?: readonly OwnHost[];
}

/** A host of the operator's own under AWS's domains, and what requests to it are signed for. */
export interface OwnHost {
  readonly host: string;
  readonly service: string;
  readonly region: string;
}

/** What an application that says `cloud: AWS` and no more is. */
export const defaultAppUri = 'https://console.aws.amazon.com/';

/** Empty fields are left out, as Teleport prints fields nobody set; `cloud://AWS` is how it prints an address nobody set. */
export function appFromResource({ metadata, spec }: Pick<ResourceOf<'app'>, 'metadata' | 'spec'>): App {
  const description = spec.description ?? metadata.description;
  const { uri } = spec;
  return {
    name: metadata.name,
    labels: metadata.labels ?? {},
    ...(description ? { description } : {}),
    ...(uri && uri !== 'cloud://AWS' ? { uri } : {}),
    ...(spec.cloud === 'AWS' ? { cloud: 'AWS' } : {}),
    ...(spec.public_addr ? { publicAddress: spec.public_addr } : {}),
    ...(spec.aws?.external_id ? { externalId: spec.aws.external_id } : {}),
    ...(spec.aws?.own_hosts ? { ownHosts: spec.aws.own_hosts } : {}),
  };
}

/** The address of the console that counts for an application. */
export function appUri({ uri }: Pick<App, 'uri'>): string {
  return uri ?? defaultAppUri;
}
