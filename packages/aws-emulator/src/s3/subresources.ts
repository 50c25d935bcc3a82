import { type Answer, AwsError } from '#protocols/aws-error.ts';
import { element } from '#protocols/xml.ts';
import { emptyAnswer, xmlAnswer } from '#s3/answers.ts';

const owner = `<Owner>${element('ID', '79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be')}</Owner>`;
const acl = `${owner}<AccessControlList></AccessControlList>`;
/** Answers to reading sub-resources that nobody has set: a root element and what stands in it. */
const unset: Readonly<Record<string, readonly [string, string]>> = {
  GetBucketAcl: ['AccessControlPolicy', acl],
  GetObjectAcl: ['AccessControlPolicy', acl],
  GetBucketVersioning: ['VersioningConfiguration', ''],
  GetObjectTagging: ['Tagging', '<TagSet></TagSet>'],
  GetBucketLogging: ['BucketLoggingStatus', ''],
  GetBucketNotificationConfiguration: ['NotificationConfiguration', ''],
  GetBucketRequestPayment: ['RequestPaymentConfiguration', element('Payer', 'BucketOwner')],
  GetBucketAccelerateConfiguration: ['AccelerateConfiguration', ''],
};
/** Errors of those that are an error where they are not set. */
const missing: Readonly<Record<string, string>> = {
  GetBucketPolicy: 'NoSuchBucketPolicy',
  GetBucketCors: 'NoSuchCORSConfiguration',
  GetBucketTagging: 'NoSuchTagSet',
  GetBucketLifecycleConfiguration: 'NoSuchLifecycleConfiguration',
  GetBucketEncryption: 'ServerSideEncryptionConfigurationNotFoundError',
  GetPublicAccessBlock: 'NoSuchPublicAccessBlockConfiguration',
  GetBucketWebsite: 'NoSuchWebsiteConfiguration',
  GetBucketReplication: 'ReplicationConfigurationNotFoundError',
  GetBucketOwnershipControls: 'OwnershipControlsNotFoundError',
  GetObjectLockConfiguration: 'ObjectLockConfigurationNotFoundError',
};

/** Sub-resources are verified and logged as any request; nothing is kept of what is written to them. Undefined where it is none of them. */
export function subresource(operation: string): Answer | undefined {
  if (Object.hasOwn(missing, operation))
    throw new AwsError(missing[operation] ?? '', 'The configuration that was asked for does not exist', 404);
  const found = Object.hasOwn(unset, operation) ? unset[operation] : undefined;
  if (found !== undefined) return xmlAnswer(found[0], found[1]);
  if (/^(?:Put|Delete)(?:Bucket\w+|PublicAccessBlock|Object(?:Acl|Tagging|Retention|LegalHold|LockConfiguration))$/u.test(operation))
    return emptyAnswer(operation.startsWith('Delete') ? 204 : 200);
  return undefined;
}
