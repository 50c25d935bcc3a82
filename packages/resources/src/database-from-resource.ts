import type { ResourceOf } from '#resource.ts';

/** A DynamoDB database as agents serve it, from a resource or from an agent's own file. */
export interface Database {
  readonly name: string;
  readonly protocol: string;
  readonly description?: string;
  readonly uri?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly region?: string;
  readonly accountId?: string;
  readonly assumeRoleArn?: string;
  readonly externalId?: string;
  readonly sessionTags: Readonly<Record<string, string>>;
}

/** `uri` and the like are left out where they are empty, as Teleport prints fields nobody set. */
export function databaseFromResource({ metadata, spec }: Pick<ResourceOf<'db'>, 'metadata' | 'spec'>): Database {
  const aws = spec.aws ?? {};
  const description = spec.description ?? metadata.description;
  return {
    name: metadata.name,
    protocol: spec.protocol,
    labels: metadata.labels ?? {},
    sessionTags: aws.session_tags ?? {},
    ...(description ? { description } : {}),
    ...(spec.uri ? { uri: spec.uri } : {}),
    ...(aws.region ? { region: aws.region } : {}),
    ...(aws.account_id ? { accountId: aws.account_id } : {}),
    ...(aws.assume_role_arn ? { assumeRoleArn: aws.assume_role_arn } : {}),
    ...(aws.external_id ? { externalId: aws.external_id } : {}),
  };
}
