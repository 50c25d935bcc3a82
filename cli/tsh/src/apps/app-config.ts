import { type GlobalOptions, signedIn } from '@postern/profile/signed-in';
import { print, printable } from '@postern/terminal/output';
import { PosternError } from '@postern/api/errors';
import { askControl } from '#endpoint/control-socket.ts';
import { filesOf } from '#apps/app-login.ts';
import { appInUse } from '#apps/app-in-use.ts';

export const appConfigFormats = ['text', 'uri', 'ca', 'cert', 'key', 'json', 'yaml', 'aws-credential-process'] as const;
export type AppConfigFormat = (typeof appConfigFormats)[number];

export function isAppConfigFormat(text: string): text is AppConfigFormat {
  return appConfigFormats.some((format) => format === text);
}

export interface AppConfigOptions {
  readonly globals: GlobalOptions;
  readonly name: string | undefined;
  readonly awsRole?: string;
  readonly format: AppConfigFormat;
  /** What is printed is of use through the port of tsh up alone. */
  readonly requireUp?: boolean;
}

/** What programs need to be told of an application: paths, and for `credential_process` the throw-away key itself. */
export async function appConfig({ globals, name, awsRole, format, requireUp }: AppConfigOptions): Promise<void> {
  const who = signedIn(globals, process.env, Date.now());
  // An SDK would try a port that nobody listens on for half a minute, and say no more than that.
  if (requireUp === true && (await askControl(who.store, 'status')) === undefined)
    throw new PosternError('unavailable', 'nothing serves the local port of this profile: run tsh up');
  const { login, key } = await appInUse(who, {
    ...(name === undefined ? {} : { app: name }),
    isOperand: true,
    ...(awsRole === undefined ? {} : { awsRole }),
  });
  if (format === 'aws-credential-process') return void process.stdout.write(credentialProcess(key, who.profile.validUntilMs));
  const { caPath, identityPath } = filesOf(who, login.name);
  const data = { name: login.name, uri: login.uri, ca: caPath, cert: identityPath, key: identityPath, aws_role_arn: key.roleArn };
  if (format === 'uri' || format === 'ca' || format === 'cert' || format === 'key') return void process.stdout.write(`${data[format]}\n`);
  await print(format, data, () =>
    [
      `Name:     ${login.name}`,
      `URI:      ${login.uri}`,
      `AWS role: ${key.roleArn}`,
      `CA:       ${caPath}`,
      `Cert:     ${identityPath}`,
      `Key:      ${identityPath}`,
    ]
      .map(printable)
      .join('\n'),
  );
}

/** https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html: SDKs ask again before it expires. */
function credentialProcess(key: { readonly accessKeyId: string; readonly secretAccessKey: string }, untilMs: number): string {
  const { accessKeyId, secretAccessKey } = key;
  const answer = { Version: 1, AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, Expiration: new Date(untilMs).toISOString() };
  return `${JSON.stringify(answer)}\n`;
}
