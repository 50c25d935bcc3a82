import { type GlobalOptions, type SignedIn, signedIn } from '@postern/profile/signed-in';
import { printable } from '@postern/terminal/output';
import { logIn } from '#apps/app-login.ts';
import { chooseRole } from '#apps/choose-role.ts';
import { findApp } from '#apps/find-app.ts';

export interface LoginToAppOptions {
  readonly globals: GlobalOptions;
  readonly name: string;
  readonly awsRole: string | undefined;
}

export async function loginToApp({ globals, name, awsRole }: LoginToAppOptions): Promise<void> {
  const who = signedIn(globals, process.env, Date.now());
  const app = await findApp(who, name);
  await logIn(who, app, { roleArn: chooseRole(app, awsRole).arn });
  process.stdout.write(`Logged into AWS app ${printable(app.name)}. Example AWS CLI command:\n\n$ ${exampleCommand(who, app.name)}\n`);
}

/** One that works as it is printed: with a second application the first line asks which is meant. */
export function exampleCommand({ store, profile }: SignedIn, name: string): string {
  const isOnlyOne = store.kept(profile, 'app').names().length === 1;
  return isOnlyOne ? 'tsh aws s3 ls' : `tsh aws --app ${printable(name)} s3 ls`;
}
