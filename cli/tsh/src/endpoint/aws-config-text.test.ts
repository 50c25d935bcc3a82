import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { appsIn, regionIn, type EndpointProfile, withoutProfiles, withPort, withProfile } from '#endpoint/aws-config-text.ts';

const FILE = '/home/alice/.aws/config';
const profile: EndpointProfile = {
  profile: 'aws-Reader',
  proxy: 'example.com:443',
  user: 'alice',
  home: '/home/alice/.tsh',
  app: 'aws',
  region: 'us-east-1',
  port: 23_480,
  credentialProcess: 'tsh apps config aws --format=aws-credential-process',
};
const own = '[default]\nregion = eu-west-1\n\n# mine\n[profile other]\noutput=json';

describe('a profile in a person’s configuration', () => {
  it('is written as AWS reads it', () => {
    expect(withProfile('', profile, FILE).split('\n').slice(1, -2)).toEqual([
      '[profile aws-Reader]',
      'region = us-east-1',
      'endpoint_url = http://127.0.0.1:23480',
      'credential_process = tsh apps config aws --format=aws-credential-process',
      's3 =',
      '    addressing_style = path',
    ]);
  });

  it('stands behind what was there, which is not touched; written twice it is the same', () => {
    const once = withProfile(own, profile, FILE);
    expect(once.startsWith(own)).toBe(true);
    expect(withProfile(once, profile, FILE)).toBe(once);
    const again = withProfile(once, { ...profile, region: 'eu-west-1' }, FILE);
    expect(again).toBe(once.replace('region = us-east-1', 'region = eu-west-1'));
  });

  it('is taken out with its application and with no other', () => {
    const two = withProfile(withProfile(`${own}\n`, profile, FILE), { ...profile, profile: 'b', app: 'billing' }, FILE);
    for (const other of [{ proxy: 'elsewhere:443' }, { user: 'bob' }, { home: '/home/alice/other tsh' }])
      expect(withoutProfiles(two, { ...profile, ...other }, FILE)).toBe(two);
    const one = withoutProfiles(two, profile, FILE);
    expect(one).not.toContain('aws-Reader');
    expect(one).toContain('[profile b]');
    expect(withoutProfiles(one, { ...profile, app: 'billing' }, FILE).trimEnd()).toBe(own);
  });

  // It was replaced without a word, and programs of the first cluster went to the second; a logout there took out what was written here.
  it.each([
    ['cluster', { proxy: 'elsewhere:443' }, /for application "aws" of alice at example.com:443 .*choose another name with --profile/],
    ['user', { user: 'bob' }, /of alice at example.com:443/],
    ['folder of logins', { home: '/elsewhere/it is' }, /login in \/home\/alice\/\.tsh/],
  ])('never takes the place of one of another %s', (_what, other, words) => {
    const text = withProfile(own, profile, FILE);
    expect(() => withProfile(text, { ...profile, ...other }, FILE)).toThrow(words);
    const beside = withProfile(text, { ...profile, ...other, profile: 'beside' }, FILE);
    expect(withoutProfiles(beside, { ...profile, ...other }, FILE)).toBe(text);
  });

  it('takes the place of one whose owner has logged out in the same folder, and of no other', () => {
    const text = withProfile(own, profile, FILE);
    const bobs = { ...profile, user: 'bob' };
    const nobody = () => false;
    expect(withoutProfiles(withProfile(text, bobs, FILE, nobody), bobs, FILE).trimEnd()).toBe(own);
    expect(() => withProfile(text, { ...bobs, home: '/elsewhere' }, FILE, nobody)).toThrow(/choose another name/);
  });

  it('is found again by its owner: the applications that have one, and its region', () => {
    const text = withProfile(withProfile(own, profile, FILE), { ...profile, profile: 'b', app: 'billing', region: 'eu-west-3' }, FILE);
    expect(appsIn(text, profile, FILE)).toEqual(['aws', 'billing']);
    expect(appsIn(text, { ...profile, user: 'bob' }, FILE)).toEqual([]);
    expect(regionIn(text, 'b', FILE)).toBe('eu-west-3');
    expect(regionIn(text, 'c', FILE)).toBeUndefined();
  });

  it('moves to another port with every other of its folder of logins, and nobody else’s does', () => {
    const elsewhere = withProfile('', { ...profile, profile: 'elsewhere', home: '/elsewhere', port: 2 }, FILE);
    const text = `[profile mine]\nendpoint_url = http://127.0.0.1:1\n${withProfile(elsewhere, profile, FILE)}`;
    const moved = withPort(text, { port: 9000, home: profile.home }, FILE);
    expect(moved).toContain(elsewhere);
    expect(moved).toContain('[profile mine]\nendpoint_url = http://127.0.0.1:1\n');
    expect(moved).toContain('endpoint_url = http://127.0.0.1:9000');
  });

  it.each(['[profile aws-Reader]', '[ profile "aws-Reader" ]', "[profile 'aws-Reader']"])(
    'never takes the place of the person’s own %s',
    (line) => {
      expect(() => withProfile(`${line}\nregion=x\n`, profile, FILE)).toThrow(/of your own.*--profile/);
    },
  );

  it('is not guessed where a marker has lost its counterpart', () => {
    const whole = withProfile(own, profile, FILE);
    for (const marker of ['# BEGIN', '# END']) {
      const damaged = whole
        .split('\n')
        .filter((line) => !line.startsWith(marker))
        .join('\n');
      expect(() => withProfile(damaged, profile, FILE)).toThrow(/no counterpart/);
    }
  });

  it('leaves every line of a person where it was, whatever the lines are', () => {
    const lines = fc.array(
      fc.string().filter((line) => !/[\n\r]|^# (?:BEGIN|END) postern|aws-Reader/.test(line)),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(lines, (mine) => {
        const text = mine.length === 0 ? '' : `${mine.join('\n')}\n`;
        const written = withProfile(text, profile, FILE);
        expect(written.startsWith(text)).toBe(true);
        const back = withoutProfiles(written, profile, FILE);
        expect(back.replace(/\n+$/, '')).toBe(text.replace(/\n+$/, ''));
      }),
    );
  });
});
