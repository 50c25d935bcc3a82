import type { Profile } from '@postern/profile/profile';
import { ProfileStore } from '@postern/profile/profile-store';
import { activeProfile, type GlobalOptions, globalsFrom, loginExpired, notSignedIn } from '@postern/profile/signed-in';
import { durationText, type Format, print, printable } from '@postern/terminal/output';

const MINUTE_MS = 60_000;

/** Prints every profile that is kept; exit code 3 where the active one is missing or has expired. */
export async function status(options: GlobalOptions, format: Format): Promise<void> {
  const globals = globalsFrom(options, process.env);
  const store = ProfileStore.fromEnvironment(process.env);
  const active = activeProfile(globals, store);
  if (active === undefined) {
    if (format !== 'text') await print(format, { active: null, profiles: store.list().map((profile) => toJson(store, profile)) }, () => '');
    throw notSignedIn(globals);
  }
  await printStatus(store, active.proxy, format);
  if (active.validUntilMs <= Date.now()) throw loginExpired(active);
}

export async function printStatus(store: ProfileStore, activeProxy: string, format: Format): Promise<void> {
  const profiles = store.list();
  const active = profiles.filter((profile) => profile.proxy === activeProxy);
  const others = profiles.filter((profile) => profile.proxy !== activeProxy);
  const [first] = active;
  const data = {
    active: first === undefined ? null : toJson(store, first),
    profiles: others.map((profile) => toJson(store, profile)),
  };
  await print(format, data, () =>
    [...active.map((profile) => toText(store, profile, '> ')), ...others.map((profile) => toText(store, profile, '  '))].join('\n'),
  );
}

/** The paths that scripts read: .active.username, .active.roles, .active.cluster, .active.valid_until. */
function toJson(store: ProfileStore, profile: Profile): object {
  const databases = store.kept(profile, 'db').names();
  return {
    profile_url: `https://${profile.proxy}`,
    username: profile.user,
    cluster: profile.cluster,
    roles: profile.roles,
    traits: profile.traits,
    logins: [],
    kubernetes_enabled: false,
    ...(databases.length === 0 ? {} : { databases }),
    valid_until: new Date(profile.validUntilMs).toISOString(),
    extensions: [],
    verified: profile.verified,
  };
}

function toText(store: ProfileStore, profile: Profile, mark: string): string {
  const left = profile.validUntilMs - Date.now();
  const databases = store.kept(profile, 'db').names();
  const until = new Date(profile.validUntilMs)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, ' +0000 UTC');
  const lines: readonly (readonly [string, string])[] = [
    ['Profile URL', `https://${profile.proxy}${profile.verified ? '' : ' (not verified)'}`],
    ['Logged in as', profile.user],
    ['Cluster', profile.cluster],
    ['Roles', profile.roles.join(', ')],
    ...(databases.length === 0 ? [] : [['Databases', databases.join(', ')] as const]),
    [
      'Valid until',
      `${until} ${left > 0 ? `[valid for ${durationText(Math.max(Math.round(left / MINUTE_MS) * MINUTE_MS, 1000))}]` : '[EXPIRED]'}`,
    ],
  ];
  return `${lines.map(([name, value], at) => `${at === 0 ? mark : '  '}${`${name}:`.padEnd(20)}${printable(value)}`).join('\n')}\n`;
}
