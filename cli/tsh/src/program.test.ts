import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Profile } from '@postern/profile/profile';
import { ProfileStore } from '@postern/profile/profile-store';
import { exampleFaults } from '@postern/terminal/testing/example-faults';
import { runCommand } from '@postern/terminal/testing/run-command';
import { examples } from '#examples.ts';
import { tshProgram } from '#program.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'tsh-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));
const tsh = (args: string, input = '') =>
  runCommand(join(import.meta.dirname, 'main.ts'), args.split(' '), { env: { TELEPORT_HOME: home }, input });

function signIn(change: Partial<Profile> = {}): void {
  const profile: Profile = {
    proxy: 'localhost:1',
    user: 'alice',
    cluster: 'example.internal',
    roles: ['access', 'editor'],
    traits: {},
    hostCaPems: ['pem'],
    verified: true,
    validUntilMs: Date.now() + 3_600_000,
    sinceMs: 1,
    ...change,
  };
  const privateKeyPem = '-----BEGIN PRIVATE KEY-----\nU0VDUkVU\n-----END PRIVATE KEY-----\n';
  new ProfileStore(home).save(profile, { privateKeyPem, certificatePem: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n' });
}

describe('tsh', () => {
  it('shows examples of every command, with flags that exist', () => {
    expect(
      exampleFaults(tshProgram('0'), {
        ...examples,
        'db connect': ['tsh db connect'],
        'db config': ['tsh db config'],
        'db env': ['tsh db env'],
      }),
    ).toEqual([]);
  });

  it('prints a version whose second word scripts can read, in both ways', async () => {
    const { stdout } = await tsh('version');
    expect(stdout).toMatch(/^Postern v\d+\.\d+\.\d+ /);
    expect(await tsh('--version')).toMatchObject({ code: 0, stdout });
    expect(JSON.parse((await tsh('version -f json')).stdout)).toMatchObject({
      version: expect.stringMatching(/^\d+\.\d+\.\d+$/) as unknown,
    });
  });

  it('shows the sign-in where scripts look for it, and no key, also with -d', async () => {
    signIn();
    const { code, stdout, stderr } = await tsh('-d status -f json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const shown = JSON.parse(stdout) as { active: Record<string, unknown>; profiles: unknown[] };
    expect(shown.active).toMatchObject({
      username: 'alice',
      roles: ['access', 'editor'],
      cluster: 'example.internal',
      profile_url: 'https://localhost:1',
    });
    expect(Date.parse(String(shown.active['valid_until']))).toBeGreaterThan(Date.now());
    expect(shown.profiles).toEqual([]);
    expect(stdout).not.toContain('PRIVATE');
    const text = (await tsh('status')).stdout;
    expect(text).toMatch(/^> Profile URL: +https:\/\/localhost:1$/m);
    expect(text).toMatch(/^ {2}Logged in as: +alice$/m);
    expect(text).toMatch(/^ {2}Roles: +access, editor$/m);
    expect(text).toMatch(/^ {2}Valid until: +\S+ \S+ \+0000 UTC \[valid for 1h0m0s\]$/m);
  });

  it('says who is not signed in, or not any more, with exit code 3 and the command to run', async () => {
    const nobody = await tsh('status');
    expect(nobody).toMatchObject({ code: 3, stdout: '' });
    expect(nobody.stderr).toContain('tsh login --proxy=');
    signIn({ validUntilMs: Date.now() - 1000 });
    for (const args of ['status', 'db ls', 'proxy db --tunnel --db-user=R orders']) {
      const late = await tsh(args);
      expect({ args, code: late.code }).toEqual({ args, code: 3 });
      expect(late.stderr).toContain('has expired: run tsh login --proxy=localhost:1 --user=alice');
    }
  });

  it.each([
    ['a flag that is nearly right', 'proxy db --tunel orders', /Did you mean --tunnel/],
    ['a command that is nearly right', 'logn', /Did you mean login/],
    ['a missing name', 'proxy db --tunnel', /name/],
    ['a port that is none', 'proxy db --tunnel --port 99999 --db-user=R orders', /65535/],
    ['a format that is none', 'status -f xml', /text, json, yaml/],
    ['a lifetime that is none', 'login --ttl soon', /minutes/],
    ['no proxy', 'login --user=alice', /--proxy is missing/],
    ['a proxy without TLS', 'login --proxy=http://example.com', /--proxy/],
    ['an address that others reach', 'proxy db --tunnel --listen=0.0.0.0:8000 --db-user=R orders', /insecure-listen-anywhere/],
  ])('%s is a usage error: exit code 2, the name of what is wrong, nothing on stdout', async (_what, args, words) => {
    const said = await tsh(args);
    expect(said).toMatchObject({ code: 2, stdout: '' });
    expect(said.stderr).toMatch(words);
  });

  it.each(['db connect orders', 'db config orders', 'db env', 'proxy db orders'])('%s says what to run for DynamoDB', async (args) => {
    const said = await tsh(args);
    expect(said.code).toBe(1);
    expect(said.stderr).toContain('not supported when: database protocol is DynamoDB');
    expect(said.stderr).toContain('tsh proxy db --tunnel --db-user=');
  });

  it('says that nobody answers: exit code 6', async () => {
    const said = await tsh('login --proxy=localhost:1 --user=alice', 'secret-of-alice\n');
    expect(said.code).toBe(6);
    expect(said.stderr).toContain('localhost:1');
    expect(said.stderr).not.toContain('secret-of-alice');
  });

  it('logs out of everything, and says so twice without complaint', async () => {
    signIn();
    expect(await tsh('logout')).toMatchObject({ code: 0, stdout: 'Logged out all users from all proxies.\n' });
    expect((await tsh('status')).code).toBe(3);
    expect((await tsh('logout')).code).toBe(0);
  });

  it('prints help on stdout with exit code 0', async () => {
    const said = await tsh('proxy db --help');
    expect(said.code).toBe(0);
    expect(said.stdout).toContain('--tunnel');
  });
});
