import { type AgentFlags, agentFileText } from '#configure/agent-file.ts';
import { writeConfiguration } from '#configure/output.ts';
import { say } from '@postern/terminal/output';
import { UsageError } from '@postern/terminal/usage-error';

export interface DatabaseFlags extends AgentFlags {
  readonly name?: string;
  readonly protocol?: string;
  readonly uri?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly awsRegion?: string;
  readonly awsAccountId?: string;
}

export function configureDatabase(flags: DatabaseFlags & { readonly output: string }): void {
  const file = writeConfiguration(flags.output, databaseAgentText(flags));
  if (file === undefined) return;
  const blanks = flags.name !== undefined && (flags.awsAccountId === undefined || (flags.awsRegion ?? flags.uri) === undefined);
  say(`next: ${blanks ? 'write what says CHANGEME, then ' : ''}teleport start -c ${file}`);
}

export function databaseAgentText(flags: DatabaseFlags): string {
  return agentFileText(flags, {
    type: 'db',
    comment: 'Configuration of a database agent. A database from the cluster (tctl create) is served as well.',
    section: { resources: [{ labels: { '*': '*' } }], ...databases(flags) },
  });
}

function databases(flags: DatabaseFlags): object {
  if (flags.name === undefined) return {};
  if (flags.protocol !== undefined && flags.protocol !== 'dynamodb')
    throw new UsageError(`--protocol: "${flags.protocol}" is not supported: dynamodb is`);
  const aws = {
    ...(flags.awsRegion === undefined ? {} : { region: flags.awsRegion }),
    account_id: flags.awsAccountId ?? accountPlaceholder,
  };
  const entry = {
    name: flags.name,
    protocol: 'dynamodb',
    ...(flags.uri === undefined || flags.uri === '' ? {} : { uri: flags.uri }),
    ...(flags.labels === undefined ? {} : { static_labels: flags.labels }),
    aws: { ...aws, ...(flags.awsRegion === undefined && flags.uri === undefined ? { region: regionPlaceholder } : {}) },
  };
  return { databases: [entry] };
}

/** Refused at start by name and place, so that nobody runs with them by mistake. */
const accountPlaceholder = 'CHANGEME-account-id';
const regionPlaceholder = 'CHANGEME-region';
