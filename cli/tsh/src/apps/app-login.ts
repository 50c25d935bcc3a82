import { createLocalAuthority, type LocalAuthority } from '@postern/pki';
import { awsDomains } from '@postern/aws';
import { PosternError } from '@postern/api/errors';
import type { SignedIn } from '@postern/profile/signed-in';
import { UsageError } from '@postern/terminal/usage-error';
import { type LocalKey, keysOf, newLocalKey, saveKey } from '#apps/local-key.ts';
import { issueGrant, sessionIdOf } from '#sessions/session-grant.ts';

/** What `tsh apps login` keeps of an application beside the key of each role. */
export interface AppLogin {
  readonly name: string;
  readonly uri: string;
  /** Of the role that commands take where none is said. */
  readonly roleArn: string;
  /** Its key lies here and not in the bundle: it is no more secret than the session's own, and a proxy that starts again must not
   * invalidate the bundle that programs have read. It is of no use for any host but AWS's, and ends with the login. */
  readonly authority: LocalAuthority;
}

/** As Teleport names it. */
const BUNDLE = '-localca.pem';
const IDENTITY = '-x509.pem';

export function loadLogin({ store, profile }: Pick<SignedIn, 'store' | 'profile'>, name: string): AppLogin | undefined {
  const text = store.kept(profile, 'app').load(name);
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text) as Partial<AppLogin> | null;
    const whole = [value?.name, value?.uri, value?.roleArn, value?.authority?.certificatePem, value?.authority?.privateKeyPem].every(
      (part) => typeof part === 'string',
    );
    return whole ? (value as AppLogin) : undefined;
  } catch {
    return undefined;
  }
}

export interface LoginFiles {
  readonly caPath: string;
  /** Certificate and key of the session, in one file, so that no reader sees one without the other. */
  readonly identityPath: string;
}

export function filesOf({ store, profile }: SignedIn, name: string): LoginFiles {
  const kept = store.kept(profile, 'app');
  return { caPath: kept.pathBeside(name, BUNDLE), identityPath: kept.pathBeside(name, IDENTITY) };
}

/** Programs read it at a path that was printed: one that was removed or damaged would fail them with words about AWS. */
export function putBundle({ store, profile }: SignedIn, { name, authority }: Pick<AppLogin, 'name' | 'authority'>): string {
  return store.kept(profile, 'app').saveBeside(name, BUNDLE, authority.certificatePem);
}

export interface AppInUse {
  readonly login: AppLogin;
  readonly key: LocalKey;
}

export interface LoggableApp {
  readonly name: string;
  readonly uri: string;
}

export interface AskedRole {
  readonly roleArn: string;
  /** The role that commands take where none is said stays what it was. */
  readonly keepsCurrent?: boolean;
}

/** Asks auth for a session under the role, then writes what programs need; the login itself last, so that nothing stands half-done. */
export async function logIn(who: SignedIn, app: LoggableApp, { roleArn, keepsCurrent = false }: AskedRole): Promise<AppInUse> {
  const { store, profile } = who;
  const grant = await issueGrant(who, { kind: 'app', name: app.name, principal: roleArn });
  const [before] = keysOf(who, app.name, roleArn);
  const key: LocalKey = { ...(before ?? newLocalKey()), app: app.name, roleArn, grant };
  const earlier = loadLogin(who, app.name);
  const authority =
    earlier?.authority ??
    (await createLocalAuthority({
      name: `tsh: ${app.name} of ${profile.user}`,
      domains: awsDomains(),
      notAfterMs: profile.validUntilMs,
      nowMs: Date.now(),
    }));
  const kept = store.kept(profile, 'app');
  putBundle(who, { name: app.name, authority });
  kept.saveBeside(app.name, IDENTITY, grant.privateKeyPem + grant.certificatePem);
  saveKey(who, key);
  const login: AppLogin = { name: app.name, uri: app.uri, roleArn: keepsCurrent ? (earlier?.roleArn ?? roleArn) : roleArn, authority };
  kept.save(app.name, `${JSON.stringify({ version: 1, ...login })}\n`);
  return { login, key };
}

/** Of the certificates that are kept for the application, by their ids. */
export function sessionsOf(who: SignedIn, name: string): readonly string[] {
  return [...new Set(keysOf(who, name).map(({ grant }) => sessionIdOf(grant)))];
}

/** The login goes first: whoever looks meanwhile finds none, and not a part of one. */
export function logOut(who: SignedIn, name: string): void {
  const kept = who.store.kept(who.profile, 'app');
  kept.remove(name);
  const keys = who.store.kept(who.profile, 'key');
  for (const { accessKeyId } of keysOf(who, name)) keys.remove(accessKeyId);
  for (const ending of [BUNDLE, IDENTITY]) kept.removeBeside(name, ending);
}

/** The application that is meant: the one that is named, or the only one that the user is logged in to. */
export function loggedInApp(
  who: SignedIn,
  { app: name, isOperand = false }: { readonly app?: string; readonly isOperand?: boolean },
): string {
  const names = who.store.kept(who.profile, 'app').names();
  if (name !== undefined) {
    if (names.includes(name)) return name;
    throw new PosternError('unauthenticated', `not logged in to application "${name}": run tsh apps login --aws-role=<role> ${name}`);
  }
  const [only, ...more] = names;
  if (only === undefined)
    throw new PosternError(
      'unauthenticated',
      'not logged in to an AWS application: run tsh apps login --aws-role=<role> <name> (tsh apps ls lists them)',
    );
  if (more.length > 0) {
    const how = isOperand ? 'write one of them behind the command' : 'choose one with --app=<name>';
    throw new UsageError(`logged in to several applications: ${how} (${names.join(', ')})`);
  }
  return only;
}
