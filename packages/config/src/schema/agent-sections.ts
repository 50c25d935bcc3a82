import { labelsSchema, ownHostsSchema } from '@postern/resources';
import { z } from 'zod';
import { flag, labelMatchers, notServed, optionalText, text, withoutEffect } from '#schema/fields.ts';

const notForDynamoDb = notServed('does not apply to DynamoDB');
const discovery = notServed('resources are not discovered in a cloud account; list them in databases, or create db resources');
const labelsFromCommands = notServed('labels from commands are not supported; write them in static_labels');

const matcher = z.strictObject({
  labels: labelMatchers,
  aws: z.strictObject({ assume_role_arn: optionalText, external_id: optionalText }).nullish(),
});
const matchers = z.array(matcher).max(256).nullish();

/** An account id of digits alone is a number to YAML; one with a leading zero arrives as text. */
const textOrDigits = z.union([z.string(), z.number().int().nonnegative()]).transform(String);

const database = z.strictObject({
  name: text,
  description: optionalText,
  protocol: text,
  uri: optionalText,
  static_labels: labelsSchema.nullish(),
  dynamic_labels: labelsFromCommands,
  aws: z
    .strictObject({
      region: optionalText,
      account_id: textOrDigits.nullish(),
      assume_role_arn: optionalText,
      external_id: optionalText,
      session_tags: labelsSchema.nullish(),
      redshift: notForDynamoDb,
      rds: notForDynamoDb,
      elasticache: notForDynamoDb,
      memorydb: notForDynamoDb,
      secret_store: notForDynamoDb,
    })
    .nullish(),
  tls: notForDynamoDb,
  ca_cert_file: notForDynamoDb,
  ca_cert: notForDynamoDb,
  admin_user: notForDynamoDb,
  ad: notForDynamoDb,
  gcp: notForDynamoDb,
  azure: notForDynamoDb,
  mysql: notForDynamoDb,
  mongo_atlas: notForDynamoDb,
  oracle: notForDynamoDb,
});
export type DatabaseInput = z.output<typeof database>;

export const dbSection = z.strictObject({
  enabled: flag.optional(),
  resources: matchers,
  databases: z.array(database).max(1000).nullish(),
  aws: discovery,
  azure: discovery,
  gcp: discovery,
});

const app = z.strictObject({
  name: text,
  description: optionalText,
  uri: optionalText,
  public_addr: optionalText,
  labels: labelsSchema.nullish(),
  commands: labelsFromCommands,
  cloud: z.enum(['AWS', '']).nullish(),
  aws: z.strictObject({ external_id: optionalText, own_hosts: ownHostsSchema.nullish() }).nullish(),
  insecure_skip_verify: withoutEffect,
  rewrite: withoutEffect,
  cors: withoutEffect,
  required_apps: withoutEffect,
  use_any_proxy_public_addr: withoutEffect,
  mcp: notServed('is not supported'),
  tcp_ports: notServed('applications over plain TCP are not supported'),
});
export type AppInput = z.output<typeof app>;

export const appSection = z.strictObject({
  enabled: flag.optional(),
  resources: matchers,
  apps: z.array(app).max(1000).nullish(),
  debug_app: notServed('is not supported'),
  mcp_demo_server: notServed('is not supported'),
});
