import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exampleFaults } from '@postern/terminal/testing/example-faults';
import { runCommand } from '@postern/terminal/testing/run-command';
import { examples } from '#examples.ts';
import { tctlProgram } from '#program.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'tctl-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));
const tctl = (args: readonly string[], input = '') =>
  runCommand(join(import.meta.dirname, 'main.ts'), args, { env: { TELEPORT_HOME: home }, input });
const words = (line: string) => line.split(' ');

describe('tctl', () => {
  it('shows examples of every command, with flags that exist', () => {
    expect(exampleFaults(tctlProgram('0'), examples)).toEqual([]);
  });

  it('prints its version', async () => {
    expect((await tctl(['version'])).stdout).toMatch(/^Postern v\d+\.\d+\.\d+ /);
  });

  it.each([
    ['a type that is none', 'tokens add --type=node', /unknown type "node"/],
    ['no type', 'tokens add', /--type/],
    ['a lifetime that is none', 'tokens add --type=db --ttl=soon', /duration/],
    ['a protocol that is not served', 'tokens add --type=db --db-name=x --db-protocol=postgres', /dynamodb/],
    ['a flag that is nearly right', 'tokens add --type=db --db-nam=x', /Did you mean --db-name/],
    ['a kind that is none', 'get rolez', /"rolez" is not a kind/],
    ['a connector, as guides edit one', 'get github/github', /single sign-on does not exist yet/],
    ['a kind without a name', 'rm role', /role\/<name>/],
    ['a lock of nothing', 'lock', /--user/],
    ['a lock of the past', 'lock --user=a --expires=2001-01-01T00:00:00Z', /past/],
    ['an update of nothing', 'users update alice', /--set-roles/],
    ['a user without a role', 'users update alice --set-roles=', /needs a role/],
    ['a question about nothing', 'access explain --user=a', /--db or --app/],
    ['a question about two things', 'access explain --user=a --db=b --app=c', /exclude each other/],
    ['a role of the other kind', 'access explain --user=a --app=c --db-user=d', /--aws-role/],
    ['no terminal and no flag', 'users add alice --roles=access', /--password-stdin/],
    ['an empty password', 'users add alice --roles=access --password-stdin', /standard input is empty/],
  ])('%s is a usage error: exit code 2 before anything is asked of the cluster', async (_what, line, pattern) => {
    const said = await tctl(words(line));
    expect(said).toMatchObject({ code: 2, stdout: '' });
    expect(said.stderr).toMatch(pattern);
  });

  it('takes a line whose breaks were lost when it was copied from a page', async () => {
    const said = await tctl(['tokens', 'add', ' --type=node', ' --db-name=example-dynamodb', ' --db-protocol=dynamodb']);
    expect(said.stderr).toMatch(/unknown type "node"/);
  });

  it('names the help page of the command that was mistyped', async () => {
    const said = await tctl(['users', 'add', 'alice']);
    expect(said.stderr).toBe("ERROR: required option '--roles <roles>' not specified\nrun tctl users add --help to see the flags\n");
  });

  it('says who is not signed in', async () => {
    const said = await tctl(['status']);
    expect(said.code).toBe(3);
    expect(said.stderr).toContain('tsh login');
  });

  it('names the file that it cannot use', async () => {
    expect((await tctl(['-c', join(home, 'none.yaml'), 'status'])).stderr).toContain('none.yaml');
    writeFileSync(
      join(home, 'agent.yaml'),
      'version: v3\nteleport:\n  proxy_server: a:1\n  auth_token: x\ndb_service:\n  enabled: "yes"\n',
    );
    expect((await tctl(['-c', join(home, 'agent.yaml'), 'status'])).code).toBe(3);
    const auth = `version: v3\nteleport:\n  data_dir: ${home}/data\nauth_service:\n  enabled: "yes"\n  authentication: { type: local, second_factor: "off" }\n`;
    writeFileSync(join(home, 'auth.yaml'), auth);
    const absent = await tctl(['-c', join(home, 'auth.yaml'), 'status']);
    expect(absent).toMatchObject({ code: 5 });
    expect(absent.stderr).toContain('proc/admin.json');
  });

  it('refuses an identity that others can read', async () => {
    const file = join(home, 'admin.json');
    writeFileSync(file, '{}', { mode: 0o644 });
    const said = await tctl(['-i', file, 'status']);
    expect(said.code).toBe(4);
    expect(said.stderr).toContain('chmod 600');
  });
});
