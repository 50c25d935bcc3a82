import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ProfileStore } from '@postern/profile/profile-store';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { moveProfiles, putProfile, takeOutProfiles } from '#endpoint/aws-config-file.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'tsh-aws-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));
const profile = { profile: 'r', proxy: 'p:443', user: 'u', home: '/h', app: 'aws', region: 'us-east-1', port: 1, credentialProcess: 'tsh' };
const config = () => join(home, '.aws', 'config');

describe('the person’s AWS configuration', () => {
  it('is made where there is none, for its owner alone whatever the umask, and holds no key', () => {
    const before = process.umask(0);
    try {
      expect(putProfile({ HOME: home }, profile)).toBe(config());
    } finally {
      process.umask(before);
    }
    expect(statSync(config()).mode & 0o777).toBe(0o600);
    expect(statSync(join(home, '.aws')).mode & 0o777).toBe(0o700);
    expect(readFileSync(config(), 'utf8')).not.toMatch(/AKIA|secret/i);
  });

  it('is replaced whole, and nothing is left beside it', () => {
    putProfile({ HOME: home }, profile);
    moveProfiles({ HOME: home }, new ProfileStore('/h'), 9);
    expect(readFileSync(config(), 'utf8')).toContain('http://127.0.0.1:9');
    takeOutProfiles({ HOME: home }, profile);
    expect(readFileSync(config(), 'utf8')).toBe('');
    expect(readdirSync(join(home, '.aws'))).toEqual(['config']);
  });

  it('stays a link where it is one: what it leads to is written', () => {
    const elsewhere = join(home, 'dotfiles-config');
    writeFileSync(elsewhere, '[default]\nregion = eu-west-1\n');
    const link = join(home, 'link');
    symlinkSync(elsewhere, link);
    putProfile({ AWS_CONFIG_FILE: link }, profile);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(readFileSync(elsewhere, 'utf8')).toMatch(/^\[default\]\nregion = eu-west-1\n\n# BEGIN postern/);
  });

  it('is not written where nothing of it changes: a logout leaves a file that others manage', () => {
    const file = join(home, 'managed');
    writeFileSync(file, '[default]\n', { mode: 0o444 });
    const { ino } = statSync(file);
    takeOutProfiles({ AWS_CONFIG_FILE: file }, profile);
    expect(statSync(file).ino).toBe(ino);
  });
});
