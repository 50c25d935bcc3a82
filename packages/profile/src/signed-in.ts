import { PosternError } from '@postern/api/errors';
import { warn } from '@postern/terminal/output';
import type { Credentials, Profile } from '#profile.ts';
import { ProfileStore } from '#profile-store.ts';
import { withPort } from '#proxy-address.ts';

/** Flags of every tsh command, and of tctl where it works through a tsh profile. */
export interface GlobalOptions {
  readonly proxy?: string;
  readonly user?: string;
  readonly insecure?: boolean;
  readonly debug?: boolean;
}

export interface SignedIn {
  readonly profile: Profile;
  readonly credentials: Credentials;
  readonly store: ProfileStore;
}

type Environment = Readonly<Record<string, string | undefined>>;

export function globalsFrom(options: GlobalOptions, env: Environment): GlobalOptions {
  const proxy = options.proxy ?? env['TELEPORT_PROXY'];
  const user = options.user ?? env['TELEPORT_USER'];
  return { ...options, ...(proxy === undefined ? {} : { proxy }), ...(user === undefined ? {} : { user }) };
}

/** The profile that the flags, the environment or the last sign-in name; undefined where there is none. */
export function activeProfile(options: GlobalOptions, store: ProfileStore): Profile | undefined {
  const proxy = options.proxy === undefined ? store.currentProxy() : undefined;
  const profile = options.proxy === undefined ? (proxy === undefined ? undefined : store.load(proxy)) : findProfile(options.proxy, store);
  return options.user === undefined || profile?.user === options.user ? profile : undefined;
}

/** Rejects with the command to run where nobody is signed in, the sign-in has expired or the cluster was never verified. */
export function signedIn(options: GlobalOptions, env: Environment, nowMs: number): SignedIn {
  const globals = globalsFrom(options, env);
  const store = ProfileStore.fromEnvironment(env);
  const profile = activeProfile(globals, store);
  if (profile === undefined) throw notSignedIn(globals);
  return signedInAs(profile, { globals, store, nowMs });
}

/** Of a sign-in that is known: rejects where it has expired or the cluster was never verified. */
export function signedInAs(
  profile: Profile,
  { globals, store, nowMs }: { readonly globals: GlobalOptions; readonly store: ProfileStore; readonly nowMs: number },
): SignedIn {
  if (profile.validUntilMs <= nowMs) throw loginExpired(profile);
  checkVerified(profile, globals);
  return { profile, credentials: store.credentials(profile), store };
}

export function loginExpired(profile: Profile): PosternError {
  return new PosternError(
    'expired',
    `the login of ${profile.user} has expired: run tsh login --proxy=${profile.proxy} --user=${profile.user}`,
  );
}

/** Undefined while it is there; what runs under a sign-in is to stop where it was logged out. */
export function signedOut({ store, profile }: Pick<SignedIn, 'store' | 'profile'>): PosternError | undefined {
  if (store.has(profile)) return undefined;
  const { user, proxy } = profile;
  return new PosternError('unauthenticated', `${user} was logged out: run tsh login --proxy=${proxy} --user=${user}`);
}

export function notSignedIn(options: GlobalOptions): PosternError {
  const proxy = options.proxy ?? '<host:port>';
  const user = options.user === undefined ? '' : ` --user=${options.user}`;
  return new PosternError('unauthenticated', `not logged in: run tsh login --proxy=${proxy}${user}`);
}

function checkVerified(profile: Profile, options: GlobalOptions): void {
  if (profile.verified) return;
  if (options.insecure === true) {
    warn(`${profile.proxy} was never verified: whoever answers there may not be your cluster`);
    return;
  }
  throw new PosternError(
    'denied',
    `the login at ${profile.proxy} was made with --insecure and the cluster was never verified: run tsh login --proxy=${profile.proxy} --ca-pin=<pin>, or add --insecure`,
  );
}

/** "example.com" finds the profile of example.com:443, and of any other port where there is just one. */
function findProfile(proxy: string, store: ProfileStore): Profile | undefined {
  const exact = store.load(withPort(proxy));
  if (exact !== undefined || /:\d+$/.test(proxy)) return exact;
  const sameHost = store.list().filter((profile) => profile.proxy.replace(/:\d+$/, '') === proxy);
  return sameHost.length === 1 ? sameHost[0] : undefined;
}
