import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCOUNT, Cluster, PASSWORD, ROLE, root } from '@postern/test-harness/cluster.ts';
import { until } from '@postern/test-harness/processes.ts';
import { clientEnv, openStage, ROLE_ARN } from './stage.ts';

const OTHER_ARN = `arn:aws:iam::${ACCOUNT}:role/Reader`;

describe('bad input at an application', () => {
  const cluster = new Cluster();

  beforeAll(async () => {
    await openStage(cluster, { arns: [ROLE_ARN, OTHER_ARN], apart: true });
    await cluster.admin('tctl users add bob --roles=access --password-stdin', { input: `${PASSWORD}\n` });
    await cluster.signIn('bob');
  });
  afterAll(() => cluster.stop());

  it.each([
    ['nobody logged in to an application', 'tsh proxy aws', 3, /run tsh apps login --aws-role=<role>/],
    ['an application that one is not logged in to', 'tsh aws --app=aws s3 ls', 3, /run tsh apps login --aws-role=<role> aws/],
    ['no application to configure', 'tsh aws configure', 3, /run tsh apps login/],
    ['nothing to log out of', 'tsh apps logout aws', 5, /not logged in to application "aws"/],
    ['an unknown application', `tsh apps login --aws-role=${ROLE} asw`, 5, /application "asw" not found: tsh apps ls .*did you mean aws\?/],
    ['a port that is none', 'tsh proxy aws -p 99999', 2, /65535/],
    ['a format that is none', 'tsh proxy aws --format xml', 2, /unix, command-prompt, powershell, text, json/],
    ['a flag that is nearly right', 'tsh apps login --aws-rol=x aws', 2, /Did you mean --aws-role/],
    ['nobody up', 'tsh down', 0, /^$/],
  ])('%s', async (_what, line, code, words) => {
    const said = await cluster.sh(line);
    expect({ line, code: said.code }).toEqual({ line, code });
    expect(said.stderr).toMatch(words);
  });

  it('shows the roles and the flag where several are granted and none is said, and whose decision it is where none is', async () => {
    const several = await cluster.sh('tsh apps login aws');
    expect(several.code).toBe(2);
    expect(several.stderr).toMatch(/--aws-role is missing[^]*Available AWS roles:\nRole Name +Role ARN/);
    expect(several.stderr.indexOf(ROLE_ARN)).toBeLessThan(several.stderr.indexOf(OTHER_ARN));
    const none = await cluster.sh('tsh apps login aws', { person: 'bob' });
    expect([4, 5]).toContain(none.code);
  });

  it('leaves nothing half-done where the bundle cannot be written', async () => {
    await cluster.mustSh(`tsh apps login --aws-role=${ROLE} aws`);
    const bundle = (await cluster.mustSh('tsh apps config aws --format=ca')).trim();
    await cluster.mustSh('tsh apps logout aws');
    mkdirSync(join(bundle, 'in-the-way'), { recursive: true, mode: 0o700 });
    const said = await cluster.sh(`tsh apps login --aws-role=${ROLE} aws`);
    expect(said.code).toBe(1);
    expect(said.stderr).toContain(`cannot use ${bundle}`);
    expect(await cluster.mustSh('tsh apps ls')).not.toMatch(/^>/m);
    rmSync(bundle, { recursive: true });
    await cluster.mustSh(`tsh apps login --aws-role=${ROLE} aws`);
  });

  it('CL-03 names a busy port, and serves nothing on another', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as AddressInfo;
    for (const line of [`tsh proxy aws -p ${port}`, `tsh up --port ${port}`]) {
      const said = await cluster.sh(line);
      expect({ line, code: said.code, stdout: said.stdout }).toEqual({ line, code: 1, stdout: '' });
      expect(said.stderr).toContain(`port ${port} is in use by another program: choose another with --port`);
    }
    holder.close();
  });

  it('says that the AWS CLI is not installed, or the program that was asked for', async () => {
    const bin = join(cluster.dir, 'bin');
    mkdirSync(bin, { recursive: true });
    const path = `${join(root, 'bin')}:/usr/bin:/bin`;
    const missing = await cluster.sh('hash aws 2>/dev/null && exit 99; tsh aws s3 ls', { env: { PATH: path } });
    expect([5, 99]).toContain(missing.code);
    if (missing.code === 5) expect(missing.stderr).toMatch(/the AWS CLI is not installed: install aws, or run another program with --exec/);
    const other = await cluster.sh('tsh aws --exec no-such-program');
    expect(other).toMatchObject({ code: 5, stderr: expect.stringContaining('no-such-program is not on PATH') as string });
  });

  it('keeps a profile of the person’s own, and a configuration that it cannot read, as they are', async () => {
    const config = join(cluster.dir, 'config');
    writeFileSync(config, '[profile mine]\nregion = eu-west-1\n');
    const own = await cluster.sh('tsh aws configure --profile mine', { env: { AWS_CONFIG_FILE: config } });
    expect(own.code).toBe(1);
    expect(own.stderr).toMatch(/has a profile "mine" of your own: choose another name with --profile/);
    const odd = await cluster.sh("tsh aws configure --profile 'a]b'", { env: { AWS_CONFIG_FILE: config } });
    expect(odd).toMatchObject({ code: 2, stdout: '' });
    const folder = await cluster.sh('tsh aws configure', { env: { AWS_CONFIG_FILE: dirname(config) } });
    expect(folder.code).toBe(1);
    expect(folder.stderr).toContain(`cannot write ${dirname(config)}`);
  });

  // tsh said it as a warning and again as a notice, before the AWS CLI did.
  it('says once why a person who is locked is refused, beside what the AWS CLI says', async () => {
    await cluster.admin('tctl users add carol --roles=aws-dynamodb-access --password-stdin', { input: `${PASSWORD}\n` });
    await cluster.signIn('carol');
    await cluster.mustSh(`tsh apps login --aws-role=${ROLE} aws`, { person: 'carol' });
    const locked = await cluster.sh(`tctl -c ${cluster.authConfig} lock --user=carol --message='left the company'`, { person: 'nobody' });
    expect(locked).toMatchObject({ code: 0, stderr: '' });
    const said = await until('the lock to act', 10_000, async () => {
      const answer = await cluster.sh('tsh aws sts get-caller-identity', { person: 'carol', env: clientEnv() });
      return answer.code === 0 ? undefined : answer.stderr;
    });
    const lines = said.split('\n').filter((line) => line.includes('left the company'));
    expect(lines.filter((line) => !/An error occurred|aws: \[ERROR\]/.test(line))).toHaveLength(1);
    expect(lines).toHaveLength(2);
  });

  it('warns of a lock that locks nobody', async () => {
    const said = await cluster.sh(`tctl -c ${cluster.authConfig} lock --user=carlo --ttl=1m`, { person: 'nobody' });
    expect(said.stdout).toMatch(/^Created a lock/);
    expect(said.stderr).toContain('there is no user "carlo": was another meant?');
  });

  it('goes on with what is stored while auth is away', async () => {
    await cluster.authHost?.stop();
    expect(JSON.parse(await cluster.mustSh('tsh aws dynamodb list-tables', { env: clientEnv() }))).toEqual({ TableNames: [] });
    const listed = await cluster.sh('tsh apps ls');
    expect(listed.stdout).toMatch(/^> aws /m);
    expect(listed.stderr).toMatch(/the list is as of/);
    const said = await cluster.sh(`tsh apps login --aws-role=Reader aws`);
    expect(said.code).toBe(6);
    expect(said.stderr).toMatch(/auth/);
  });
});
