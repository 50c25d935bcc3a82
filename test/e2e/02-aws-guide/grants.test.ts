import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ACCOUNT, type AtAws, Cluster, PASSWORD, ROLE } from '@postern/test-harness/cluster.ts';
import { type Daemon, freePort, until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agentYaml, clientEnv, keepToken, ROLE_ARN } from './stage.ts';

const cannot = lacking('aws', 'openssl', 'jq');
const roleOf = (name: string) => `arn:aws:iam::${ACCOUNT}:role/${name}`;
const sessionOf = (name: string, user = 'alice') => `arn:aws:sts::${ACCOUNT}:assumed-role/${name}/${user}`;

const roles = `kind: role
version: v6
metadata: { name: by-traits }
spec:
  allow:
    app_labels: { '*': '*' }
    aws_role_arns: ['{{internal.aws_role_arns}}', 'arn:aws:iam::${ACCOUNT}:role/{{email.local(external.email)}}']
---
kind: role
version: v6
metadata: { name: ten-minutes }
spec:
  options: { max_session_ttl: 10m }
  allow: { app_labels: { '*': '*' }, aws_role_arns: ['${ROLE_ARN}'] }
`;
const second = `kind: app
version: v3
metadata: { name: second, labels: { team: payments } }
spec: { uri: 'https://console.aws.amazon.com/console/home', aws: { external_id: second-8 } }
`;

describe.skipIf(cannot !== undefined)('who may use an application, as what and for how long', () => {
  const cluster = new Cluster();
  const doors: Daemon[] = [];
  const whoAmI = async (line: string, env: NodeJS.ProcessEnv = clientEnv()) =>
    (JSON.parse(await cluster.mustSh(`${line} sts get-caller-identity`, { env })) as { Arn: string }).Arn;
  const externalIds = (after: number) =>
    (cluster.rawLog().slice(after) as readonly (AtAws & { readonly parameters?: Readonly<Record<string, string>> })[])
      .filter(({ operation }) => operation === 'AssumeRole')
      .map(({ parameters }) => parameters?.['ExternalId']);

  beforeAll(async () => {
    await cluster.startEmulator({ roles: [ROLE, 'alice'] });
    await cluster.start();
    await cluster.admin('tctl create -f', { input: roles });
    for (const [user, role] of [
      ['alice', 'by-traits'],
      ['carol', 'ten-minutes'],
    ])
      await cluster.admin(`tctl users add ${user} --roles=${role} --password-stdin`, { input: `${PASSWORD}\n` });
    await cluster.signIn();
    const token = keepToken(cluster, await cluster.admin('tctl tokens add --type=app --app-name=aws'));
    const more = "    aws: { external_id: aws-7 }\n  resources:\n  - labels: { team: ['payments', 'billing'] }\n";
    cluster.startAgent('app-agent', agentYaml(cluster, token) + more);
    await cluster.admin('tctl create -f', { input: second });
    await until('the applications to be listed', 30_000, async () => {
      const { stdout } = await cluster.sh('tsh apps ls');
      return stdout.includes('second') && /^aws /m.test(stdout) ? true : undefined;
    });
  }, 120_000);
  afterAll(() => cluster.stop());

  it('sees it and is granted no IAM role: is told whose decision that is', async () => {
    for (const line of ['tsh apps login aws', `tsh apps login --aws-role ${ROLE} aws`, `tsh aws --app aws --aws-role ${ROLE_ARN} s3 ls`]) {
      const said = await cluster.sh(line);
      expect({ line, code: said.code, stdout: said.stdout }).toEqual({ line, code: 4, stdout: '' });
      expect(said.stderr).toContain(
        `none of your roles grants an IAM role on application "aws": whoever edits the cluster's roles decides that, with aws_role_arns`,
      );
    }
  });

  it('is given one with tctl users update, signs in again, and works as it', async () => {
    const said = await cluster.admin(`tctl users update alice --set-aws-role-arns=${ROLE_ARN}`);
    expect(said).toBe(`User "alice" has been updated:\n  - aws_role_arns: ${ROLE_ARN}\n`);
    await cluster.signIn();
    await cluster.mustSh('tsh apps login aws');
    expect(await whoAmI('tsh aws')).toBe(sessionOf(ROLE));
  });

  it('has one of his own, after what stands before the @ of his address', async () => {
    const user = JSON.parse(await cluster.admin('tctl get user/alice --format=json')) as [{ spec: { traits: Record<string, string[]> } }];
    user[0].spec.traits['email'] = ['alice@example.com'];
    writeFileSync(join(cluster.dir, 'alice.json'), JSON.stringify(user[0]));
    await cluster.admin('tctl create -f alice.json');
    await cluster.signIn();
    await cluster.mustSh('tsh apps login --aws-role alice aws');
    expect(await whoAmI('tsh aws')).toBe(sessionOf('alice'));
    const other = await cluster.sh(`tsh apps login --aws-role ${roleOf('bob')} aws`);
    expect(other.code).not.toBe(0);
    expect(other.stderr).toContain(roleOf('alice'));
  });

  it('says the external id of each application to STS, of the agent’s file and of a resource', async () => {
    await cluster.mustSh(`tsh apps login --aws-role ${ROLE} aws`);
    await cluster.mustSh(`tsh apps login --aws-role ${ROLE} second`);
    const before = cluster.rawLog().length;
    expect(await whoAmI('tsh aws --app second')).toBe(sessionOf(ROLE));
    expect(externalIds(before)).toEqual(['second-8']);
    expect(new Set(externalIds(0))).toEqual(new Set(['aws-7', 'second-8']));
  });

  describe('with two applications', () => {
    /** What `tsh proxy aws` printed, in a file as a shell redirects it. */
    async function proxy(flags: string): Promise<string> {
      const port = await freePort();
      const words = ['tsh', 'proxy', 'aws', '--port', String(port), ...flags.split(' ')];
      const daemon = cluster.daemon(`proxy-${doors.length}`, words, { TELEPORT_HOME: cluster.homeOf('alice') });
      doors.push(daemon);
      await daemon.says(/HTTPS_PROXY[^\n]+\n(?:[^]*\})?/);
      return daemon.logFile;
    }

    it('a proxy that is told of neither is for neither', async () => {
      const said = await cluster.sh('tsh proxy aws');
      expect(said).toMatchObject({ code: 2, stdout: '' });
      expect(said.stderr).toMatch(/--app/);
      for (const app of ['aws', 'second']) expect(said.stderr).toContain(app);
    });

    it('lines for a Unix shell are evaluated by one, and are of the application that was named', async () => {
      const file = await proxy('--app second --format unix');
      const before = cluster.rawLog().length;
      expect(await whoAmI(`eval "$(grep export ${file})"; aws`)).toBe(sessionOf(ROLE));
      expect(cluster.rawLog().slice(before)).toMatchObject([{ operation: 'GetCallerIdentity', verified: true }]);
      const events = await until('the request in the audit log', 20_000, async () => {
        const printed = await cluster.admin('tctl audit ls --kind=app.session.request --limit=1 -f json');
        return printed.includes('GetCallerIdentity') ? (JSON.parse(printed) as Record<string, unknown>[]) : undefined;
      });
      expect(events[0]).toMatchObject({ app_name: 'second' });
    });

    it('JSON is parsed by whoever starts it, jq among them', async () => {
      const file = await proxy('--app aws --format json');
      const { proxy: url, env } = JSON.parse(await cluster.mustSh(`cat ${file}`)) as { proxy: string; env: Record<string, string> };
      expect(Object.keys(env)).toEqual(['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_CA_BUNDLE', 'HTTPS_PROXY']);
      expect(env['HTTPS_PROXY']).toBe(url);
      expect(await whoAmI('aws', clientEnv(env))).toBe(sessionOf(ROLE));
      const shell = `export $(jq -r '.env | to_entries[] | "\\(.key)=\\(.value)"' ${file}); aws`;
      expect(await whoAmI(shell)).toBe(sessionOf(ROLE));
    });
  });

  describe('with less than fifteen minutes left, which is the least that a console gives', () => {
    const words = /a console session lasts 15 min at least, and your session ends in (?:10|9) min.*: sign in again with tsh login/i;

    it('calls AWS, and is told to sign in again for the console', async () => {
      const before = cluster.rawLog().length;
      await cluster.mustSh(`tsh login --proxy=${cluster.proxy} --user=alice --ttl=10`, { input: `${PASSWORD}\n` });
      await cluster.mustSh(`tsh apps login --aws-role ${ROLE} aws`);
      const said = await cluster.sh('tsh apps console aws --print');
      expect(said).toMatchObject({ code: 4, stdout: '' });
      expect(said.stderr).toMatch(words);
      expect(cluster.rawLog().slice(before)).toEqual([]);
      const refusals = await until('the refusal in the audit log', 20_000, async () => {
        const printed = await cluster.admin('tctl audit ls --kind=app.session.console -f json');
        const all = JSON.parse(printed) as Record<string, unknown>[];
        return all.length > 0 ? all : undefined;
      });
      expect(refusals).toMatchObject([{ code: 'T2014E', user: 'alice', success: false, error: expect.stringMatching(words) as unknown }]);
      expect(await whoAmI('tsh aws')).toBe(sessionOf(ROLE));
    });

    it('in a browser as well', async () => {
      const before = cluster.rawLog().length;
      const curl = (rest: string) => cluster.mustSh(`curl -s --cacert web-ca.pem -b jar -c jar ${rest}`);
      const at = (path: string) => `'https://${cluster.proxy}${path}'`;
      const csrf = /name="_csrf" value="([^"]+)"/.exec(await curl(at('/web/login')))?.[1] ?? 'no token';
      const data = ['user=carol', `password=${PASSWORD}`, `_csrf=${csrf}`].map((field) => `--data-urlencode '${field}'`).join(' ');
      await curl(`-o /dev/null -H 'Origin: https://${cluster.proxy}' ${data} ${at('/web/login')}`);
      const page = await curl(`-w '%{http_code}' ${at('/web/launch/aws')}`);
      expect(page).toMatch(/403$/);
      expect(page).toMatch(words);
      expect(cluster.rawLog().slice(before)).toEqual([]);
    });
  });
});
