import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type GlobalOptions, type SignedIn, signedIn } from '@postern/profile/signed-in';
import { UsageError } from '@postern/terminal/usage-error';
import type { AppInUse } from '#apps/app-login.ts';
import { appInUse } from '#apps/app-in-use.ts';
import { profileOwner, putProfile } from '#endpoint/aws-config-file.ts';
import { askControl } from '#endpoint/control-socket.ts';
import { endpointPort } from '#endpoint/endpoint-port.ts';

export interface ConfigureOptions {
  readonly globals: GlobalOptions;
  readonly app?: string;
  readonly awsRole?: string;
  readonly profile?: string;
  readonly region?: string;
}

/** Writes a profile with which unmodified programs reach AWS through the port of `tsh up`. */
export async function configure(options: ConfigureOptions): Promise<void> {
  const { app, awsRole } = options;
  const who = signedIn(options.globals, process.env, Date.now());
  const use = await appInUse(who, { ...(app === undefined ? {} : { app }), ...(awsRole === undefined ? {} : { awsRole }) });
  const role = use.key.roleArn.split('/').at(-1) ?? '';
  const profile = checked('--profile', options.profile ?? `${use.login.name}-${role}`, /^[\w.@+=,-]{1,128}$/);
  const asked = options.region ?? process.env['AWS_REGION'] ?? process.env['AWS_DEFAULT_REGION'] ?? homeRegion(use.key.roleArn);
  const region = checked('--region', asked, /^[a-z0-9-]{1,32}$/);
  // Whatever keeps tsh up from being asked is said where it is started.
  const running = await askControl(who.store, 'status').catch(() => undefined);
  const file = putProfile(process.env, {
    ...profileOwner(who),
    profile,
    app: use.login.name,
    region,
    port: running?.port ?? endpointPort(who.store),
    credentialProcess: credentialProcess(who, use),
  });
  const next = running === undefined ? 'Start the local endpoint, then use it:\n\n$ tsh up' : 'tsh up serves it already:\n';
  process.stdout.write(`Wrote profile "${profile}" to ${file}. ${next}\n$ aws --profile ${profile} s3 ls\n`);
}

function checked(flag: string, text: string, shape: RegExp): string {
  if (!shape.test(text)) throw new UsageError(`${flag}: "${text}" cannot stand in AWS's configuration: choose another`);
  return text;
}

/** Where a partition's global services are; an SDK needs some region, and a person may write another into the profile. */
function homeRegion(roleArn: string): string {
  const home: Readonly<Record<string, string>> = { 'aws-cn': 'cn-north-1', 'aws-us-gov': 'us-gov-west-1', 'aws-eusc': 'eusc-de-east-1' };
  return home[roleArn.split(':')[1] ?? ''] ?? 'us-east-1';
}

/** A whole command: SDKs run it from anywhere, with a PATH of their own, and whoever is the current sign-in by then. */
function credentialProcess({ profile }: SignedIn, { login, key }: AppInUse): string {
  const home = process.env['TELEPORT_HOME'];
  return [
    ...(home === undefined ? [] : ['/usr/bin/env', `TELEPORT_HOME=${home}`]),
    ownCommand(),
    `--proxy=${profile.proxy}`,
    `--user=${profile.user}`,
    'apps',
    'config',
    login.name,
    `--aws-role=${key.roleArn}`,
    '--format=aws-credential-process',
    '--require-up',
  ]
    .map(quoted)
    .join(' ');
}

/** bin/tsh, which finds a Node that is young enough. */
function ownCommand(): string {
  const beside = join(dirname(process.argv[1] ?? ''), '..', 'bin', 'tsh');
  return existsSync(beside) ? beside : 'tsh';
}

/** SDKs split the line as a shell does, or give it to one. */
function quoted(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  if (/["\\$`\n\r]/.test(word)) throw new UsageError(`${JSON.stringify(word)} cannot stand in AWS's configuration`);
  return `"${word}"`;
}
