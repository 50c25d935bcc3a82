import { z } from 'zod';

import { isVoid, kept, labels } from '#kinds/fields.ts';

const notForDynamoDb = z.unknown().refine(isVoid, { error: 'does not apply to DynamoDB' });
const textOrDigits = z.union([z.string(), z.number().int()]).transform(String);

/** Values are judged by validateDatabase, which the agents' own files go through as well. */
const aws = z.strictObject({
  region: z.string().optional(),
  account_id: textOrDigits.optional(),
  assume_role_arn: z.string().optional(),
  external_id: z.string().optional(),
  session_tags: labels.nullable().optional(),
  redshift: notForDynamoDb.optional(),
  redshift_serverless: notForDynamoDb.optional(),
  rds: notForDynamoDb.optional(),
  rdsproxy: notForDynamoDb.optional(),
  elasticache: notForDynamoDb.optional(),
  elasticache_serverless: notForDynamoDb.optional(),
  memorydb: notForDynamoDb.optional(),
  opensearch: notForDynamoDb.optional(),
  docdb: notForDynamoDb.optional(),
  secret_store: notForDynamoDb.optional(),
  iam_policy_status: kept.optional(),
});

export const databaseSpec = z.strictObject({
  protocol: z.string(),
  uri: z.string().optional(),
  description: z.string().max(1024).optional(),
  aws: aws.optional(),
  ad: notForDynamoDb.optional(),
  admin_user: notForDynamoDb.optional(),
  azure: notForDynamoDb.optional(),
  ca_cert: notForDynamoDb.optional(),
  dynamic_labels: z.unknown().refine(isVoid, { error: 'labels from commands are not supported; write them in metadata.labels' }).optional(),
  gcp: notForDynamoDb.optional(),
  mongo_atlas: notForDynamoDb.optional(),
  mysql: notForDynamoDb.optional(),
  oracle: notForDynamoDb.optional(),
  tls: notForDynamoDb.optional(),
});
export type DatabaseSpec = z.infer<typeof databaseSpec>;
