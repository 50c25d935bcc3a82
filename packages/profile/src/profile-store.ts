import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { PosternError } from '@postern/api/errors';
import { fileName } from '#file-name.ts';
import { type KeptKind, KeptSessions, keptKinds } from '#kept-sessions.ts';
import { checkPrivateDir, ensurePrivateDir, readWithin, removePrivateFile, writePrivateFile } from '#private-files.ts';
import { type Credentials, type Profile, profileFromJson, profileToJson } from '#profile.ts';

const SUFFIX = '.json';
const CURRENT = 'current-profile';

/**
 * ~/.tsh (or TELEPORT_HOME): PROXY.json for each sign-in, keys/PROXY/USER.pem with its key and certificate,
 * keys/PROXY/USER-KIND/CLUSTER/NAME.json for each session that is kept (see KeptSessions), current-profile.
 */
export class ProfileStore {
  readonly #home: string;
  constructor(home: string) {
    this.#home = home;
  }

  static fromEnvironment(env: Readonly<Record<string, string | undefined>>): ProfileStore {
    return new ProfileStore(env['TELEPORT_HOME'] ?? join(env['HOME'] ?? homedir(), '.tsh'));
  }

  /** For what is of no single sign-in. */
  get home(): string {
    return this.#home;
  }

  currentProxy(): string | undefined {
    return this.#read(CURRENT)?.trim();
  }

  setCurrent(proxy: string): void {
    ensurePrivateDir(this.#home);
    writePrivateFile(join(this.#home, CURRENT), `${proxy}\n`);
  }

  load(proxy: string): Profile | undefined {
    const text = this.#read(fileName(proxy) + SUFFIX);
    if (text === undefined) return undefined;
    const profile = profileFromJson(text);
    if (profile === undefined) {
      throw new PosternError(
        'bad_request',
        `${join(this.#home, fileName(proxy) + SUFFIX)} is not a profile: run tsh logout, then tsh login`,
      );
    }
    return profile;
  }

  list(): readonly Profile[] {
    if (!existsSync(this.#home)) return [];
    checkPrivateDir(this.#home);
    const names = readdirSync(this.#home)
      .filter((name) => name.endsWith(SUFFIX))
      .sort();
    return names.flatMap((name) => {
      const profile = this.load(decodeURIComponent(name.slice(0, -SUFFIX.length)));
      return profile === undefined ? [] : [profile];
    });
  }

  /** Whether this user is signed in there still, and was not logged out between; cheap enough to be asked for each connection. */
  has({ proxy, user, sinceMs }: Profile): boolean {
    const now = this.load(proxy);
    return now?.user === user && now.sinceMs === sinceMs;
  }

  /** Key and certificate are one file, so that no reader sees one without the other. */
  credentials(profile: Profile): Credentials {
    const text = this.#read('keys', fileName(profile.proxy), `${fileName(profile.user)}.pem`);
    const privateKeyPem = text?.match(/-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----\n?/)?.[0];
    const certificatePem = text?.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/)?.[0];
    if (privateKeyPem === undefined || certificatePem === undefined) {
      throw new PosternError(
        'unauthenticated',
        `the key of ${profile.user} at ${profile.proxy} is missing: run tsh login --proxy=${profile.proxy}`,
      );
    }
    return { privateKeyPem, certificatePem };
  }

  save(profile: Profile, credentials: Credentials): void {
    const keys = this.#keysDir(profile.proxy);
    const before = this.load(profile.proxy);
    if (before !== undefined && before.user !== profile.user) this.#removeKeys(before);
    writePrivateFile(join(keys, `${fileName(profile.user)}.pem`), credentials.privateKeyPem + credentials.certificatePem);
    // Session certificates of an earlier sign-in carry that sign-in's roles.
    for (const kind of keptKinds) removePrivateFile(join(keys, `${fileName(profile.user)}-${kind}`));
    writePrivateFile(join(this.#home, fileName(profile.proxy) + SUFFIX), profileToJson(profile));
    this.setCurrent(profile.proxy);
  }

  remove(profile: Profile): void {
    this.#removeKeys(profile);
    removePrivateFile(join(this.#home, fileName(profile.proxy) + SUFFIX));
    if (this.currentProxy() === profile.proxy) removePrivateFile(join(this.#home, CURRENT));
  }

  /** What is kept under the sign-in beside its own key. */
  kept(profile: Profile, kind: KeptKind): KeptSessions {
    return new KeptSessions(this.#home, profile, kind);
  }

  #keysDir(proxy: string): string {
    let dir = this.#home;
    ensurePrivateDir(dir);
    for (const part of ['keys', fileName(proxy)]) {
      dir = join(dir, part);
      ensurePrivateDir(dir);
    }
    return dir;
  }

  #removeKeys(profile: Profile): void {
    const dir = join(this.#home, 'keys', fileName(profile.proxy));
    removePrivateFile(join(dir, `${fileName(profile.user)}.pem`));
    for (const kind of keptKinds) removePrivateFile(join(dir, `${fileName(profile.user)}-${kind}`));
  }

  #read(...parts: readonly string[]): string | undefined {
    return readWithin(this.#home, parts);
  }
}
