import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Credentials, Profile } from '@postern/profile/profile';
import { ProfileStore } from '@postern/profile/profile-store';
import type { SignedIn } from '@postern/profile/signed-in';
import { afterEach, beforeEach } from 'vitest';

export const profile: Profile = {
  proxy: 'a:443',
  user: 'alice',
  cluster: 'c',
  roles: [],
  traits: {},
  hostCaPems: [],
  verified: true,
  validUntilMs: Date.now() + 3_600_000,
  sinceMs: 1,
};
export const credentials: Credentials = { privateKeyPem: 'k', certificatePem: 'c' };

/** Somebody who is signed in, with an empty home of his own in each test; the functions of a test ask for him anew. */
export function somebody(): () => SignedIn {
  let home = '';
  let who: SignedIn | undefined;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'tsh-home-'));
    who = { store: new ProfileStore(home), profile, credentials };
  });
  afterEach(() => rmSync(home, { recursive: true, force: true }));
  return () => {
    if (who === undefined) throw new Error('nobody is signed in outside of a test');
    return who;
  };
}
