import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Profile } from '#profile.ts';
import { ProfileStore } from '#profile-store.ts';
import { withPort } from '#proxy-address.ts';
import { signedIn } from '#signed-in.ts';

let home: string;
beforeEach(() => {
  home = join(mkdtempSync(join(tmpdir(), 'tsh-')), '.tsh');
});
afterEach(() => rmSync(join(home, '..'), { recursive: true, force: true }));

const profile: Profile = {
  proxy: 'example.com:443',
  user: 'alice@example.com',
  cluster: 'example.com',
  roles: ['access'],
  traits: { team: ['db'] },
  hostCaPems: ['pem'],
  verified: true,
  validUntilMs: Date.now() + 60_000,
  sinceMs: 1,
};
const key = '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n';
const certificate = '-----BEGIN CERTIFICATE-----\nBBBB\n-----END CERTIFICATE-----\n';
const credentials = { privateKeyPem: key, certificatePem: certificate };

function everyPath(dir: string): string[] {
  return [dir, ...readdirSync(dir, { recursive: true }).map((name) => join(dir, String(name)))];
}

describe('the profile store', () => {
  it('gives back what it was given, and finds a profile by its host alone', () => {
    const store = new ProfileStore(home);
    store.save(profile, credentials);
    expect(store.load('example.com:443')).toEqual(profile);
    expect(store.credentials(profile)).toEqual(credentials);
    expect(store.currentProxy()).toBe('example.com:443');
    const env = { TELEPORT_HOME: home };
    expect(signedIn({ proxy: 'example.com' }, env, Date.now()).profile).toEqual(profile);
    expect(signedIn({}, { ...env, TELEPORT_PROXY: 'example.com:443', TELEPORT_USER: profile.user }, Date.now()).profile).toEqual(profile);
    expect(() => signedIn({ user: 'bob' }, env, Date.now())).toThrow(/not logged in/);
    expect(() => signedIn({}, env, profile.validUntilMs)).toThrow(
      /expired: run tsh login --proxy=example.com:443 --user=alice@example.com/,
    );
  });

  it('leaves nothing that others can read, whatever the umask', () => {
    const before = process.umask(0);
    try {
      const store = new ProfileStore(home);
      store.save(profile, credentials);
      store.kept(profile, 'db').save('orders', '{}');
    } finally {
      process.umask(before);
    }
    for (const path of everyPath(home)) expect({ path, mode: statSync(path).mode & 0o077 }).toEqual({ path, mode: 0 });
  });

  it('puts no key into the profile', () => {
    new ProfileStore(home).save(profile, credentials);
    expect(readFileSync(join(home, 'example.com%3A443.json'), 'utf8')).not.toContain('PRIVATE');
  });

  it('keeps names inside its directory', () => {
    const store = new ProfileStore(home);
    const odd = { ...profile, user: '../../../evil', proxy: 'a:1' };
    store.save(odd, credentials);
    store.kept(odd, 'db').save('../..', '{}');
    store.kept(odd, 'db').save('..', '{}');
    expect(store.kept(odd, 'db').names()).toEqual(['..', '../..']);
    expect(readdirSync(join(home, '..'))).toEqual(['.tsh']);
  });

  it('refuses a directory or a file that is open to others, and says what to run', () => {
    const store = new ProfileStore(home);
    store.save(profile, credentials);
    chmodSync(home, 0o755);
    expect(() => store.load(profile.proxy)).toThrow(/chmod 700/);
    chmodSync(home, 0o700);
    chmodSync(join(home, 'keys', 'example.com%3A443', 'alice%40example.com.pem'), 0o644);
    expect(() => store.credentials(profile)).toThrow(/permissions 644.*chmod 600/);
  });

  it('CL-05 follows no link, to a file or to a directory', () => {
    const elsewhere = join(home, '..', 'elsewhere');
    writeFileSync(elsewhere, 'mine', { mode: 0o600 });
    mkdirSync(home, { mode: 0o700 });
    symlinkSync(elsewhere, join(home, 'current-profile'));
    const store = new ProfileStore(home);
    expect(() => store.currentProxy()).toThrow(/is a link/);
    store.setCurrent('a:1');
    expect(readFileSync(elsewhere, 'utf8')).toBe('mine');
    rmSync(home, { recursive: true });
    mkdirSync(join(home, '..', 'attacker'), { mode: 0o700 });
    symlinkSync(join(home, '..', 'attacker'), home);
    expect(() => store.save(profile, credentials)).toThrow(/not a directory/);
    expect(readdirSync(join(home, '..', 'attacker'))).toEqual([]);
  });

  it('forgets the certificates of databases at the next sign-in, and everything at logout', () => {
    const store = new ProfileStore(home);
    store.save(profile, credentials);
    store.kept(profile, 'db').save('orders', '{}');
    store.save(profile, credentials);
    expect(store.kept(profile, 'db').names()).toEqual([]);
    store.kept(profile, 'db').save('orders', '{}');
    store.remove(profile);
    expect(everyPath(home).filter((path) => statSync(path).isFile())).toEqual([]);
  });

  it('wants --insecure again where the cluster was never verified', () => {
    new ProfileStore(home).save({ ...profile, verified: false }, credentials);
    const env = { TELEPORT_HOME: home };
    expect(() => signedIn({}, env, Date.now())).toThrow(/never verified.*--ca-pin/);
    expect(signedIn({ insecure: true }, env, Date.now()).profile.verified).toBe(false);
  });
});

describe('the address of a proxy', () => {
  it('takes the forms that people write', () => {
    expect(withPort('Example.com')).toBe('example.com:443');
    expect(withPort('https://example.com:3080/')).toBe('example.com:3080');
    expect(withPort('[::1]:3080')).toBe('[::1]:3080');
  });
  it.each(['http://example.com', 'example.com:0', 'example.com:70000', 'a b', 'user@example.com', ''])('refuses "%s"', (text) => {
    expect(() => withPort(text)).toThrow(/--proxy/);
  });
});
