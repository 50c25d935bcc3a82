import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type GlobalOptions, type SignedIn, signedIn } from '@postern/profile/signed-in';
import { partitionOf } from '@postern/aws';
import { warn } from '@postern/terminal/output';
import { UsageError } from '@postern/terminal/usage-error';
import type { AppInUse } from '#apps/app-login.ts';
import { appInUse } from '#apps/app-in-use.ts';
import { profileOwner, profileRegion, putProfile } from '#endpoint/aws-config-file.ts';
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
  const region = regionOf(options.region ?? profileRegion(process.env, profile), use.key.roleArn);
  // Whatever keeps tsh up from being asked is said where it is started.
  const running = await askControl(who.store, 'status').catch(() => undefined);
  const file = putProfile(
    process.env,
    {
      ...profileOwner(who),
      profile,
      app: use.login.name,
      region,
      port: running?.port ?? endpointPort(who.store),
      credentialProcess: credentialProcess(who, use),
    },
    ({ proxy, user }) => who.store.load(proxy)?.user === user,
  );
  const next = running === undefined ? 'Start the local endpoint, then use it:\n\n$ tsh up' : 'tsh up serves it already:\n';
  process.stdout.write(
    `Wrote profile "${profile}" (role ${role}, region ${region}) to ${file}. ${next}\n$ aws --profile ${profile} s3 ls\n`,
  );
}

/** Every region of AWS is named so: `us-esat-1` is none. */
const DIRECTION = /-(?:(?:north|south)?(?:east|west)|north|south|central)-\d+$/;

/** What a shell says is for programs that it starts; a profile that stands keeps its own. */
function regionOf(said: string | undefined, roleArn: string): string {
  const region = said ?? process.env['AWS_REGION'] ?? process.env['AWS_DEFAULT_REGION'] ?? homeRegion(roleArn);
  if (partitionOf(region) === undefined)
    throw new UsageError(`--region: "${region}" is no region of AWS: write one such as ${homeRegion(roleArn)}`);
  if (!DIRECTION.test(region)) warn(`AWS names no region like "${region}": was another meant?`);
  return region;
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
