import { callUnary, LoginService, type SignInResponse } from '@postern/api';
import { type Found, findCluster, openAuthChannel } from '@postern/membership';
import { caPin, generateKey } from '@postern/pki';
import { findProxy } from '#login/find-proxy.ts';
import { profileOf } from '#login/profile-of.ts';
import { shorterThanAsked } from '#login/shorter-than-asked.ts';
import { sessionsBefore } from '#login/sessions-before.ts';
import { printStatus } from '#login/status.ts';
import type { Profile } from '@postern/profile/profile';
import { ProfileStore } from '@postern/profile/profile-store';
import { reachAuth } from '@postern/profile/reach-auth';
import { activeProfile, type GlobalOptions, globalsFrom } from '@postern/profile/signed-in';
import { say, warn } from '@postern/terminal/output';
import { askHidden, readSecretLine } from '@postern/terminal/secrets';
import { UsageError } from '@postern/terminal/usage-error';

export interface LoginOptions {
  readonly globals: GlobalOptions;
  readonly caPins: readonly string[];
  readonly ttlMinutes: number | undefined;
  readonly clientVersion: string;
}
const SECONDS_PER_MINUTE = 60;

/** Learns the cluster's host CA, signs in end to end with auth, and keeps the certificate. */
export async function login(options: LoginOptions): Promise<void> {
  const globals = globalsFrom(options.globals, process.env);
  const store = ProfileStore.fromEnvironment(process.env);
  const before = activeProfile(globals, store);
  const address = globals.proxy ?? before?.proxy;
  if (address === undefined) throw new UsageError('--proxy is missing: run tsh login --proxy=<host:port>');
  const stillValid = before !== undefined && before.validUntilMs > Date.now();
  // As people expect of a command that they run again: a sign-in that lasts is shown, not asked for anew.
  if (stillValid && process.stdin.isTTY && options.ttlMinutes === undefined && options.caPins.length === 0)
    return printStatus(store, before.proxy, 'text');

  const ask = async (at: string) =>
    (await knownAgain(at, { before, ...options })) ??
    findCluster({ proxy: at, caPins: options.caPins, insecure: globals.insecure === true });
  const { proxy, found } = await findProxy(address, ask);
  const verified = options.caPins.length > 0 || globals.insecure !== true;
  if (!verified) warn(`${proxy} is not verified (--insecure): whoever answers there may read what you send`);
  const user = globals.user ?? before?.user ?? process.env['USER'];
  if (user === undefined || user === '') throw new UsageError(`--user is missing: run tsh login --proxy=${proxy} --user=<name>`);
  const password = await passwordOf(user, proxy);
  if (password === '') {
    if (stillValid && options.ttlMinutes === undefined) return printStatus(store, before.proxy, 'text');
    throw new UsageError('no password: type it on a terminal, or give it as one line on standard input');
  }

  const key = generateKey();
  const answer = await signIn({
    proxy,
    found,
    request: {
      user,
      password,
      publicKey: key.publicKeyDer,
      ttlSeconds: (options.ttlMinutes ?? 0) * SECONDS_PER_MINUTE,
      clientVersion: options.clientVersion,
    },
  });
  const earlier = store.load(proxy);
  const profile = profileOf({ proxy, answer, verified, before: earlier });
  const forgotten = sessionsBefore(store, proxy, user);
  const other = earlier?.user;
  store.save(profile, { privateKeyPem: key.privateKeyPem, certificatePem: answer.certificatePem });
  await printStatus(store, proxy, 'text');
  const shorter = shorterThanAsked(options.ttlMinutes, profile.validUntilMs - Date.now());
  if (shorter !== undefined) say(shorter);
  if (other !== undefined && other !== user)
    say(`${other} is logged out of ${proxy}: there is one login for each proxy and TELEPORT_HOME.`);
  if (forgotten.length > 0) say(`The sessions of your last login have ended with it. To have them again:\n\n${forgotten.join('\n')}\n`);
}

/**
 * A cluster that was verified once is known again by the Host CA that it showed then, as ssh knows a host: whoever signs in anew need not
 * find the pin anew. Undefined where it shows another, and it is verified as any other.
 */
function knownAgain(
  at: string,
  { before, caPins, globals }: LoginOptions & { readonly before: Profile | undefined },
): Promise<Found | undefined> {
  if (before?.proxy !== at || !before.verified || caPins.length > 0 || globals.insecure === true) return Promise.resolve(undefined);
  return findCluster({ proxy: at, caPins: before.hostCaPems.map((pem) => caPin(pem)) }).catch(() => undefined);
}

function passwordOf(user: string, proxy: string): Promise<string> {
  return process.stdin.isTTY && process.stderr.isTTY ? askHidden(`Password of ${user} at ${proxy}:`) : readSecretLine();
}

interface SignInCall {
  readonly proxy: string;
  readonly found: Found;
  readonly request: { user: string; password: string; publicKey: Buffer; ttlSeconds: number; clientVersion: string };
}

function signIn({ proxy, found, request }: SignInCall): Promise<SignInResponse> {
  const channel = openAuthChannel({ address: proxy, via: 'proxy', hostCaPems: found.hostCaPems, cluster: found.cluster });
  return reachAuth(channel, proxy, (client) => callUnary(client, LoginService.signIn, request));
}
