import { afterEach, describe, expect, it } from 'vitest';
import { certificateDerOf, generateKey, identityOf } from '@postern/pki';
import {
  access,
  addToken,
  addUser,
  announce,
  appServer,
  auditRecords,
  callUnary,
  certs,
  type Credential,
  joinAs,
  presence,
  putResource,
  resources,
  signInAs,
  startTestAuth,
  type TestAuth,
} from '#testing/test-auth.ts';

let test: TestAuth;
afterEach(() => test.stop());

const reader = 'arn:aws:iam::123456789012:role/Reader';
const writer = 'arn:aws:iam::123456789012:role/team/Writer';
const otherReader = 'arn:aws:iam::999999999999:role/Reader';
const chinese = 'arn:aws-cn:iam::123456789012:role/Reader';

/** A cluster with an agent that serves app/aws, and alice with these ARNs in her traits. */
async function begin(
  arns: readonly string[],
  options: { readonly labels?: Readonly<Record<string, string>>; readonly uri?: string; readonly roles?: readonly string[] } = {},
): Promise<Credential> {
  test = await startTestAuth();
  const token = await addToken(test, { roles: ['app'], appName: 'aws' });
  await announce(test, await joinAs(test, { token, role: 'app' }), [appServer('aws', options)]);
  await addUser(test, { name: 'alice', roles: options.roles ?? ['access'], traits: { aws_role_arns: arns } });
  return signInAs(test, 'alice');
}
async function ask(who: Credential, principal: string, name = 'aws') {
  return callUnary(test.client(who), certs.definition.issueSessionCert, {
    resourceKind: 'app',
    resourceName: name,
    principal,
    publicKey: generateKey().publicKeyDer,
    ttlSeconds: 0,
  });
}
const principalOf = async (who: Credential, principal: string) =>
  identityOf(certificateDerOf((await ask(who, principal)).certificatePem)).route?.principal;
const refusal = (who: Credential, principal: string, name?: string) =>
  ask(who, principal, name).then(
    () => 'ok',
    (error: unknown) => `${(error as { code: string }).code}: ${(error as Error).message}`,
  );

describe('a session certificate for an application', () => {
  it('names the full ARN, whether the ARN, a name or nothing was asked for', async () => {
    const alice = await begin([reader]);
    for (const asked of [reader, 'Reader', 'role/Reader', '']) expect([asked, await principalOf(alice, asked)]).toEqual([asked, reader]);
  });

  it('is not issued by guess: several roles and none given, or a name that two accounts have', async () => {
    const alice = await begin([reader, writer, otherReader]);
    expect(await refusal(alice, '')).toBe(
      `denied: say which IAM role to use on app/aws with --aws-role: your roles allow ${reader}, ${writer}, ${otherReader}`,
    );
    expect(await refusal(alice, 'Reader')).toBe(
      `denied: several accounts have a role named Reader, give the ARN of one with --aws-role: ${reader}, ${otherReader}`,
    );
    expect(await principalOf(alice, 'Writer')).toBe(writer);
    expect(await principalOf(alice, otherReader)).toBe(otherReader);
  });

  it('AP-08 is refused for a role that was not granted, in every spelling and account, and each refusal is recorded', async () => {
    const alice = await begin([reader]);
    const asked = [
      'Admin',
      'reader',
      'arn:aws:iam::123456789012:role/reader',
      'arn:aws:iam::123456789012:role/Admin',
      otherReader,
      chinese,
      'arn:aws:iam::123456789012:role/team/Reader',
      'arn:aws:iam::123456789012:role/a/../Reader',
      'arn:aws:sts::123456789012:assumed-role/Reader/alice',
      '*',
    ];
    for (const principal of asked)
      expect(await refusal(alice, principal)).toMatch(/^denied: .*your roles allow arn:aws:iam::123456789012:role\/Reader$/u);
    expect((await auditRecords(test, 'cert.create')).filter(({ code }) => code === 'TC000E')).toHaveLength(asked.length);
  });

  it('is for roles of the application’s account and partition, whatever else is granted', async () => {
    const bound = await begin([reader, otherReader, chinese], { labels: { aws_account_id: '999999999999' } });
    expect(await principalOf(bound, '')).toBe(otherReader);
    expect(await refusal(bound, reader)).toMatch(/^denied: .*is in account 123456789012, and app\/aws is for account 999999999999/u);
    await test.stop();
    const china = await begin([reader, chinese], { uri: 'https://console.amazonaws.cn/console/home' });
    expect(await principalOf(china, 'Reader')).toBe(chinese);
    expect(await refusal(china, reader)).toMatch(/^denied: .*is in partition aws, and app\/aws is in aws-cn/u);
  });

  it('is refused where any role denies the IAM role, in another case or without its account', async () => {
    const alice = await begin([reader, writer]);
    for (const denied of [reader.toUpperCase().replace('ARN:AWS:IAM', 'arn:aws:iam'), 'READER']) {
      await putResource(test, {
        kind: 'role',
        version: 'v7',
        metadata: { name: 'no-reader' },
        spec: { deny: { aws_role_arns: [denied] } },
      });
      await putResource(test, {
        kind: 'user',
        version: 'v2',
        metadata: { name: 'alice' },
        spec: { roles: ['access', 'no-reader'], traits: { aws_role_arns: [reader, writer] } },
      });
      expect(await refusal(alice, reader)).toMatch(/^denied: denied by role no-reader/u);
      expect(await principalOf(alice, '')).toBe(writer);
    }
  });

  it('says whose decision it is where no role is granted, and the same of an application that is not there and one that is hidden', async () => {
    const alice = await begin([]);
    expect(await refusal(alice, '')).toMatch(/^denied: your roles allow no IAM role on app\/aws: an administrator grants one/u);
    await addUser(test, { name: 'mallory', roles: ['auditor'] });
    const mallory = await signInAs(test, 'mallory');
    const hidden = await refusal(mallory, reader);
    expect(hidden).toMatch(/^not_found: .*tsh apps ls/u);
    expect((await refusal(mallory, reader, 'nowhere')).replaceAll('nowhere', 'aws')).toBe(hidden);
  });

  it('goes by templates over what an administrator writes into the traits', async () => {
    const alice = await begin([], { roles: ['access'] });
    await putResource(test, {
      kind: 'role',
      version: 'v5',
      metadata: { name: 'by-mail' },
      spec: {
        allow: { app_labels: { '*': '*' }, aws_role_arns: ['arn:aws:iam::123456789012:role/{{email.local(external.email)}}'] },
      },
    });
    await putResource(test, {
      kind: 'user',
      version: 'v2',
      metadata: { name: 'alice' },
      spec: { roles: ['by-mail'], traits: { email: ['Reader@example.com', 'no address'] } },
    });
    expect(await principalOf(alice, '')).toBe(reader);
  });
});

describe('what a user is shown of applications', () => {
  it('are the ARNs that would be allowed, and the host name that browsers use', async () => {
    const alice = await begin([reader, otherReader, chinese, 'arn:aws:iam:123456789012:role/Misspelt'], {
      labels: { aws_account_id: '123456789012' },
    });
    const list = async () => {
      const answer = await callUnary(test.client(alice), resources.definition.listResources, {
        kind: 'app_server',
        withSecrets: false,
        pageSize: 0,
        pageToken: '',
      });
      return answer.resources.map(({ json }) => JSON.parse(json.toString()) as { users: unknown; spec: { app: { spec: unknown } } });
    };
    const [shown] = await list();
    expect(shown?.users).toEqual({ allowed: [reader], denied: [] });
    expect(shown?.spec.app.spec).toEqual({ uri: 'https://console.aws.amazon.com/console/home', cloud: 'AWS' });
    const proxy = await joinAs(test, { token: await addToken(test, { roles: ['proxy'] }), role: 'proxy' });
    await callUnary(test.client(proxy), presence.definition.announceProxy, {
      publicAddress: 'teleport.example.com:443',
      ownAddress: '',
      version: '0.1.0',
    });
    expect((await list())[0]?.spec.app.spec).toMatchObject({ public_addr: 'aws.teleport.example.com' });
  });

  it('is explained as it is decided', async () => {
    await begin([reader, otherReader]);
    for (const [principal, allowed] of [
      [reader, true],
      [writer, false],
      ['Reader', false],
      ['', true],
    ] as const) {
      const explained = await callUnary(test.client(test.admin), access.definition.explainAccess, {
        user: 'alice',
        resourceKind: 'app',
        resourceName: 'aws',
        principal,
      });
      expect([principal, explained.allowed]).toEqual([principal, allowed]);
      expect(explained.decision).not.toBe('');
    }
  });
});
