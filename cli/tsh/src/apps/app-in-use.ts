import type { SignedIn } from '@postern/profile/signed-in';
import { type AppInUse, type AppLogin, loadLogin, loggedInApp, logIn } from '#apps/app-login.ts';
import { chooseRole } from '#apps/choose-role.ts';
import { findApp } from '#apps/find-app.ts';
import { keysOf, type LocalKey } from '#apps/local-key.ts';

export interface AskedApp {
  readonly app?: string;
  /** The command takes it behind its name, not with --app. */
  readonly isOperand?: boolean;
  readonly awsRole?: string;
}

/**
 * The application and the role that a command works under. What is kept serves without auth; a role that is named and of which no session
 * is kept is logged in to on the way, and so is an application that is named with its role.
 */
export async function appInUse(who: SignedIn, asked: AskedApp): Promise<AppInUse> {
  const name = asked.app !== undefined && asked.awsRole !== undefined ? asked.app : loggedInApp(who, asked);
  const login = loadLogin(who, name);
  const key = login === undefined ? undefined : keptKey(who, login, asked.awsRole);
  if (login !== undefined && key !== undefined) return { login, key };
  const app = await findApp(who, name);
  return logIn(who, app, { roleArn: chooseRole(app, asked.awsRole ?? login?.roleArn).arn, keepsCurrent: true });
}

/** By its ARN, or by its name where one key only has it. */
function keptKey(who: SignedIn, login: AppLogin, role = login.roleArn): LocalKey | undefined {
  const [only, ...more] = keysOf(who, login.name).filter(({ roleArn }) => roleArn === role || roleArn.split('/').at(-1) === role);
  return more.length === 0 && only !== undefined && only.grant.validUntilMs > Date.now() ? only : undefined;
}
