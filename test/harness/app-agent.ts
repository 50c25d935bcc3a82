import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ACCOUNT, type Cluster, ROLE } from '#cluster.ts';
import { type Daemon, freePort } from '#processes.ts';

export const APP = 'aws';
export const ROLE_ARN = `arn:aws:iam::${ACCOUNT}:role/${ROLE}`;

/** A role of Postern's that may use every application under the one role of AWS, except under those that are denied. */
export async function appRole(
  cluster: Cluster,
  name: string,
  { denied = [], sessionTtl }: { readonly denied?: readonly string[]; readonly sessionTtl?: string } = {},
): Promise<void> {
  const options = sessionTtl === undefined ? '' : `options: { max_session_ttl: ${sessionTtl} }, `;
  const allow = `{ app_labels: { '*': '*' }, aws_role_arns: ['${ROLE_ARN}'] }`;
  const deny = denied.length === 0 ? '' : `, deny: { aws_role_arns: [${denied.map((arn) => `'${arn}'`).join(', ')}] }`;
  const yaml = `kind: role\nversion: v6\nmetadata: { name: ${name} }\nspec: { ${options}allow: ${allow}${deny} }\n`;
  writeFileSync(join(cluster.dir, `${name}.yaml`), yaml);
  await cluster.admin(`tctl create -f ${name}.yaml`);
}

export interface AppAgent {
  readonly daemon: Daemon;
  /** It joined with this. */
  readonly token: string;
}

/** The agent of the AWS application, on a host of its own; resolves once it is attached. */
export async function startAppAgent(
  cluster: Cluster,
  { env = {}, severity = 'INFO' }: { readonly env?: NodeJS.ProcessEnv; readonly severity?: 'INFO' | 'DEBUG' } = {},
): Promise<AppAgent> {
  const uri = 'https://console.aws.amazon.com/console/home';
  const token = (await cluster.admin(`tctl tokens add --type=app --app-name=${APP} --app-uri=${uri} --format=text`)).trim();
  const file = join(cluster.dir, `${APP}-token`);
  writeFileSync(file, `${token}\n`, { mode: 0o600 });
  const lines = [
    'version: v3',
    'teleport:',
    `  nodename: ${APP}-agent`,
    `  data_dir: ${join(cluster.dir, `${APP}-agent`, 'data')}`,
    `  proxy_server: ${cluster.proxy}`,
    `  auth_token: ${file}`,
    `  log: { severity: ${severity} }`,
    'app_service:',
    '  enabled: "yes"',
    '  apps:',
    `    - { name: ${APP}, uri: ${uri} }`,
    '',
  ];
  const daemon = cluster.startAgent(`${APP}-agent`, lines.join('\n'), env);
  await daemon.says(/"?attached/);
  return { daemon, token };
}

/** What a program sets to sign for `tsh up`, or for `tsh proxy aws`. */
export interface LocalKeys {
  readonly id: string;
  readonly secret: string;
}

/** Serves every application of a person who is signed in and logged in to one, in the background until `tsh down`. */
export async function up(cluster: Cluster, person: string): Promise<{ readonly port: number; readonly keys: LocalKeys }> {
  const port = await freePort();
  await cluster.mustSh(`tsh up --port ${port}`, { person });
  const printed = await cluster.mustSh(`tsh apps config ${APP} --format=aws-credential-process`, { person });
  const { AccessKeyId: id, SecretAccessKey: secret } = JSON.parse(printed) as { AccessKeyId: string; SecretAccessKey: string };
  return { port, keys: { id, secret } };
}
