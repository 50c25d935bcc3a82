import { hostname } from 'node:os';
import { stringify } from 'yaml';
import { writeConfiguration } from '#configure/output.ts';
import { say } from '@postern/terminal/output';
import { withPort } from '@postern/profile/proxy-address';
import { UsageError } from '@postern/terminal/usage-error';

export interface DatabaseFlags {
  readonly token?: string;
  readonly caPin?: readonly string[];
  readonly proxy?: string;
  readonly name?: string;
  readonly protocol?: string;
  readonly uri?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly awsRegion?: string;
  readonly awsAccountId?: string;
  readonly dataDir?: string;
}

export function configureDatabase(flags: DatabaseFlags & { readonly output: string }): void {
  const file = writeConfiguration(flags.output, databaseAgentText(flags));
  if (file === undefined) return;
  const blanks = flags.name !== undefined && (flags.awsAccountId === undefined || (flags.awsRegion ?? flags.uri) === undefined);
  say(`next: ${blanks ? 'write what says CHANGEME, then ' : ''}teleport start -c ${file}`);
}

/** True where `teleport db start` was given an agent in flags rather than a file. */
export function needsFlags(flags: DatabaseFlags & { readonly config?: string }): boolean {
  const given = flags.name !== undefined || flags.proxy !== undefined || flags.token !== undefined;
  if (given && flags.config !== undefined) throw new UsageError('--config excludes --name, --proxy and --token: the file names them');
  return given;
}

/** The same file as in the guide, with what was given filled in. */
export function databaseAgentText(flags: DatabaseFlags): string {
  if (flags.proxy === undefined) throw new UsageError('--proxy is missing: the host:port of the cluster');
  if (flags.token === undefined) throw new UsageError('--token is missing: tctl tokens add --type=db prints one');
  const pins = flags.caPin ?? [];
  const config = {
    version: 'v3',
    teleport: {
      nodename: hostname(),
      data_dir: flags.dataDir ?? '/var/lib/teleport',
      proxy_server: withPort(flags.proxy),
      join_params: { method: 'token', token_name: flags.token },
      ...(pins.length === 0 ? {} : { ca_pin: pins }),
    },
    auth_service: { enabled: 'no' },
    proxy_service: { enabled: 'no' },
    ssh_service: { enabled: 'no' },
    db_service: { enabled: 'yes', resources: [{ labels: { '*': '*' } }], ...databases(flags) },
  };
  return `# Configuration of a database agent. A database from the cluster (tctl create) is served as well.\n${stringify(config, { lineWidth: 0, compat: 'yaml-1.1' })}`;
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
