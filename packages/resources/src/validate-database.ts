import type { Database } from '#database-from-resource.ts';
import { dynamoDbUri } from '#dynamodb-uri.ts';
import { isRegion, partitionOfRegion } from '#aws-partitions.ts';
import type { MeaningProblem } from '#check-meaning.ts';

/**
 * Everything that must be true of a database before an agent dials for it, wherever it came from. Paths are those of the
 * resource; a caller that reads another file names its own fields. An address is only ever AWS's own for DynamoDB: with any
 * other, whoever may write a database could have the agent send it signed requests.
 */
export function validateDatabase(database: Database): readonly MeaningProblem[] {
  const problems: MeaningProblem[] = [];
  const add = (path: readonly string[], message: string): void => void problems.push({ path, message });
  if (!/^[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/u.test(database.name)) {
    add(
      ['metadata', 'name'],
      'the name of a database begins with a letter, goes on with letters, digits and hyphens, does not end with a hyphen, and has at most 63 characters',
    );
  }
  if (database.protocol !== 'dynamodb')
    add(['spec', 'protocol'], `${database.protocol.slice(0, 32) || 'an empty text'} is not supported; the protocol is dynamodb`);
  if (database.accountId === undefined) add(['spec', 'aws', 'account_id'], 'is missing; it is the 12 digits of the AWS account');
  else if (!/^\d{12}$/u.test(database.accountId)) {
    const placeholder = database.accountId.includes('example')
      ? `${database.accountId.slice(0, 40)} is the placeholder of the guide; `
      : '';
    add(['spec', 'aws', 'account_id'], `${placeholder}an AWS account id has 12 digits, such as 123456789012`);
  }
  const region = checkAddress(database, add);
  checkRole(database, region, add);
  checkSession(database, add);
  return problems;
}

type Add = (path: readonly string[], message: string) => void;

function checkAddress({ uri, region }: Database, add: Add): string | undefined {
  if (region !== undefined && !isRegion(region))
    add(['spec', 'aws', 'region'], `${region.slice(0, 32)} is not an AWS region, such as us-east-1`);
  if (uri === undefined) {
    if (region === undefined) add(['spec', 'aws', 'region'], 'is missing; it cannot be read from spec.uri either');
    return region;
  }
  const address = dynamoDbUri(uri);
  if ('refusal' in address) {
    add(['spec', 'uri'], address.refusal);
    return region;
  }
  if (region !== undefined && region !== address.region)
    add(['spec', 'uri'], `is in region ${address.region}, but spec.aws.region is ${region.slice(0, 32)}`);
  return region ?? address.region;
}

/** assume_role_arn may be of another account: that is what it is for. */
function checkRole({ assumeRoleArn }: Database, region: string | undefined, add: Add): void {
  if (assumeRoleArn === undefined) return;
  const arn = /^arn:(?<partition>[a-z-]+):iam::\d{12}:role\/[\w+=,.@/-]{1,576}$/u.exec(assumeRoleArn);
  const partition = region === undefined ? undefined : partitionOfRegion(region);
  if (arn === null) add(['spec', 'aws', 'assume_role_arn'], 'must be the ARN of an IAM role, such as arn:aws:iam::123456789012:role/Name');
  else if (partition !== undefined && arn.groups?.['partition'] !== partition) {
    add(
      ['spec', 'aws', 'assume_role_arn'],
      `is in partition ${arn.groups?.['partition'] ?? ''}, but region ${region ?? ''} is in ${partition}`,
    );
  }
}

/** Limits of STS AssumeRole: external id 2 to 1224 characters, 50 tags, keys up to 128 and values up to 256 characters. */
function checkSession({ externalId, sessionTags }: Database, add: Add): void {
  if (externalId !== undefined && !/^[\w+=,.@:/-]{2,1224}$/u.test(externalId)) {
    add(['spec', 'aws', 'external_id'], 'has 2 to 1224 letters, digits and _ + = , . @ : / -');
  }
  const keys = Object.keys(sessionTags);
  if (keys.length > 50) add(['spec', 'aws', 'session_tags'], 'has more than the 50 tags that STS takes');
  const seen = new Set<string>();
  for (const key of keys) {
    const path = ['spec', 'aws', 'session_tags', key];
    if (/^aws:/iu.test(key)) add(path, 'tags that begin with aws: belong to AWS');
    if (!/^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/u.test(key))
      add(path, 'the name of a tag has 1 to 128 letters, digits, spaces and _ . : / = + - @');
    if (!/^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u.test(sessionTags[key] ?? ''))
      add(path, 'the value of a tag has up to 256 letters, digits, spaces and _ . : / = + - @');
    if (seen.has(key.toLowerCase())) add(path, 'STS does not tell tags apart by case, and this one is given twice');
    seen.add(key.toLowerCase());
  }
}
