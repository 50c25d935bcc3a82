import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Credentials } from '#credentials/credentials.ts';

/** The agent's environment, read once by whoever starts it; nothing here reads process.env itself. */
export type AwsEnv = Readonly<Record<string, string | undefined>>;
export type AwsLog = (level: 'info' | 'warn', message: string, fields?: Readonly<Record<string, unknown>>) => void;

/** Where the shared files are: AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE, or ~/.aws. */
export function sharedFiles(env: AwsEnv): { readonly profile: string; readonly credentials: string; readonly config: string } {
  const home = env['HOME'] ?? homedir();
  return {
    profile: env['AWS_PROFILE'] ?? env['AWS_DEFAULT_PROFILE'] ?? 'default',
    credentials: env['AWS_SHARED_CREDENTIALS_FILE'] ?? join(home, '.aws', 'credentials'),
    config: env['AWS_CONFIG_FILE'] ?? join(home, '.aws', 'config'),
  };
}

/** The keys of the environment; they win even when AWS_PROFILE is set, as in every SDK but the JavaScript one. */
export function environmentCredentials(env: AwsEnv): Credentials | undefined {
  const accessKeyId = env['AWS_ACCESS_KEY_ID'];
  const secretAccessKey = env['AWS_SECRET_ACCESS_KEY'];
  if (!accessKeyId || !secretAccessKey) return undefined;
  const expiresAtMs = Date.parse(env['AWS_CREDENTIAL_EXPIRATION'] ?? '');
  return {
    accessKeyId,
    secretAccessKey,
    ...(env['AWS_SESSION_TOKEN'] ? { sessionToken: env['AWS_SESSION_TOKEN'] } : {}),
    ...(env['AWS_ACCOUNT_ID'] ? { accountId: env['AWS_ACCOUNT_ID'] } : {}),
    ...(Number.isNaN(expiresAtMs) ? {} : { expiresAtMs }),
  };
}

/** AWS_REGION, then AWS_DEFAULT_REGION (which the JavaScript SDK does not read), then the profile's region in the shared config file. */
export async function agentRegion(env: AwsEnv): Promise<string | undefined> {
  if (env['AWS_REGION']) return env['AWS_REGION'];
  if (env['AWS_DEFAULT_REGION']) return env['AWS_DEFAULT_REGION'];
  const { profile, config } = sharedFiles(env);
  const text = await readFile(config, 'utf8').catch(() => '');
  return profileSetting(text, { profile, setting: 'region' });
}

function profileSetting(text: string, wanted: { readonly profile: string; readonly setting: string }): string | undefined {
  const headings = wanted.profile === 'default' ? ['default', 'profile default'] : [`profile ${wanted.profile}`];
  let inProfile = false;
  for (const line of text.split(/\r?\n/)) {
    const heading = /^\s*\[\s*(.*?)\s*\]/.exec(line)?.[1];
    if (heading !== undefined) inProfile = headings.includes(heading.replaceAll(/\s+/g, ' '));
    // an indented line is a nested setting of the one above
    const [, name, value] = /^([\w.-]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (inProfile && name === wanted.setting && value !== undefined && value !== '') return value;
  }
  return undefined;
}

/** As in the names of AWS_ENDPOINT_URL_…: STS, DYNAMODB, DYNAMODB_STREAMS. */
export type DialInput = { readonly env: AwsEnv; readonly service: string; readonly host: string };

/**
 * Where to connect for a service: AWS_ENDPOINT_URL_<SERVICE>, then AWS_ENDPOINT_URL, then https://<host>. It changes the connection and nothing
 * else: `Host` and the signature keep the true AWS host. For the agent's operator alone. Throws RangeError for a setting that is not a URL.
 */
export function dialUrl({ env, service, host }: DialInput): URL {
  const ignored = env['AWS_IGNORE_CONFIGURED_ENDPOINT_URLS']?.toLowerCase() === 'true';
  const name = env[`AWS_ENDPOINT_URL_${service}`] ? `AWS_ENDPOINT_URL_${service}` : 'AWS_ENDPOINT_URL';
  const configured = ignored ? undefined : env[name];
  if (!configured) return new URL(`https://${host}/`);
  const url = URL.parse(configured);
  if (url === null || !['http:', 'https:'].includes(url.protocol) || url.username !== '' || url.search !== '') {
    throw new RangeError(`${name} is not an http or https URL`);
  }
  return url;
}
