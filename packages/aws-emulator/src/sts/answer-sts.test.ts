import { AssumeRoleCommand, type AssumeRoleCommandInput, type Credentials, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type Emulator, startEmulator } from '#index.ts';

const key = { id: 'AKIAEXAMPLEEXAMPLE00', secret: 'secret' };
const account = '123456789012';
let emulator: Emulator;
let clock = Date.now();
beforeAll(async () => {
  emulator = await startEmulator({
    accountId: account,
    accessKeys: [key],
    hosts: 'any',
    nowMs: () => clock,
    roles: [
      { name: 'Plain' },
      { name: 'path/to/Open', trusts: { tags: true, sourceIdentity: true }, maxSessionDurationSeconds: 43_200 },
      { name: 'Partner', trusts: { externalId: 'abc-1' } },
      { name: 'Closed', trusts: { principals: [`arn:aws:iam::${account}:role/path/to/Open`] } },
      { arn: 'arn:aws:iam::210987654321:role/Other' },
    ],
  });
});
afterAll(() => emulator.close());

function client(credentials?: Credentials): STSClient {
  const { AccessKeyId = key.id, SecretAccessKey = key.secret, SessionToken } = credentials ?? {};
  return new STSClient({
    endpoint: emulator.url,
    region: 'us-east-1',
    maxAttempts: 1,
    systemClockOffset: clock - Date.now(),
    credentials: {
      accessKeyId: AccessKeyId,
      secretAccessKey: SecretAccessKey,
      ...(SessionToken === undefined ? {} : { sessionToken: SessionToken }),
    },
  });
}
function assume(role: string, more: Partial<AssumeRoleCommandInput> = {}, from?: Credentials) {
  const arn = role.startsWith('arn:') ? role : `arn:aws:iam::${account}:role/${role}`;
  return client(from).send(new AssumeRoleCommand({ RoleArn: arn, RoleSessionName: 'alice', ...more }));
}

describe('AssumeRole', () => {
  it('gives credentials that the session signs with, under the name of role and session', async () => {
    const { Credentials: issued, AssumedRoleUser: user } = await assume('Plain', { DurationSeconds: 900 });
    expect(user?.Arn).toBe(`arn:aws:sts::${account}:assumed-role/Plain/alice`);
    expect(issued?.Expiration?.getTime()).toBe(Math.floor(clock / 1000) * 1000 + 900_000);
    const caller = await client(issued).send(new GetCallerIdentityCommand());
    expect(caller).toMatchObject({ Arn: user?.Arn, Account: account, UserId: user?.AssumedRoleId });
    expect(emulator.log().at(-1)?.identity).toMatchObject({
      roleArn: `arn:aws:iam::${account}:role/Plain`,
      sessionName: 'alice',
      chain: [`arn:aws:iam::${account}:user/agent`],
    });
  });

  it('leaves the path out of the session, and takes roles of other accounts', async () => {
    expect((await assume('path/to/Open')).AssumedRoleUser?.Arn).toBe(`arn:aws:sts::${account}:assumed-role/Open/alice`);
    expect((await assume('arn:aws:iam::210987654321:role/Other')).AssumedRoleUser?.Arn).toBe(
      'arn:aws:sts::210987654321:assumed-role/Other/alice',
    );
  });

  it('ends its credentials at their time', async () => {
    const { Credentials: issued } = await assume('Plain', { DurationSeconds: 900 });
    const before = clock;
    clock += 899_000;
    await client(issued).send(new GetCallerIdentityCommand());
    clock += 2000;
    await expect(client(issued).send(new GetCallerIdentityCommand())).rejects.toMatchObject({ name: 'ExpiredToken' });
    clock = before;
  });

  it('refuses credentials mixed from two sessions', async () => {
    const [one, two] = [await assume('Plain'), await assume('Plain')];
    const mixed = { ...one.Credentials, SessionToken: two.Credentials?.SessionToken } as Credentials;
    await expect(client(mixed).send(new GetCallerIdentityCommand())).rejects.toMatchObject({ name: 'InvalidClientTokenId' });
  });

  it.each([
    [{ RoleSessionName: 'a' }, 'roleSessionName'],
    [{ RoleSessionName: 'a'.repeat(65) }, 'roleSessionName'],
    [{ RoleSessionName: 'alice smith' }, 'roleSessionName'],
    [{ RoleSessionName: 'a\nb&Action=x' }, 'roleSessionName'],
    [{ DurationSeconds: 899 }, 'durationSeconds'],
    [{ DurationSeconds: 43_201 }, 'durationSeconds'],
    [{ DurationSeconds: 7200 }, 'MaxSessionDuration set for this role'],
    [{ ExternalId: 'a' }, 'externalId'],
    [{ SourceIdentity: 'a b' }, 'sourceIdentity'],
    [{ Policy: 'x'.repeat(2049) }, 'policy'],
    [{ RoleArn: 'arn:aws:iam::123:role/x-and-some-more' }, 'is invalid'],
    [{ Tags: [{ Key: '', Value: 'x' }] }, 'tags.1.member.key'],
    [{ Tags: [{ Key: 'k', Value: 'v'.repeat(257) }] }, 'tags.1.member.value'],
    [{ Tags: Array.from({ length: 51 }, (_, index) => ({ Key: `k${index}`, Value: 'v' })) }, 'tags'],
  ] satisfies readonly (readonly [Partial<AssumeRoleCommandInput>, string])[])(
    'refuses limits passed, as STS does: case %#',
    async (input, word) => {
      await expect(assume('Plain', input)).rejects.toMatchObject({ name: 'ValidationError', message: expect.stringContaining(word) });
    },
  );

  it('needs the trust of the role: for itself, an external id, tags and a source identity', async () => {
    const denied = (action: string) => ({
      name: 'AccessDenied',
      message: expect.stringContaining(`is not authorized to perform: ${action} on resource: `),
    });
    await expect(assume('Missing')).rejects.toMatchObject(denied('sts:AssumeRole'));
    await expect(assume('Closed')).rejects.toMatchObject(denied('sts:AssumeRole'));
    await expect(assume('Partner')).rejects.toMatchObject(denied('sts:AssumeRole'));
    await expect(assume('Partner', { ExternalId: 'abc-2' })).rejects.toMatchObject(denied('sts:AssumeRole'));
    await expect(assume('Plain', { Tags: [{ Key: 'user', Value: 'alice' }] })).rejects.toMatchObject(denied('sts:TagSession'));
    await expect(assume('Plain', { SourceIdentity: 'alice' })).rejects.toMatchObject(denied('sts:SetSourceIdentity'));
    await expect(assume('Partner', { ExternalId: 'abc-1' })).resolves.toBeDefined();
    await expect(assume('path/to/Open', { Tags: [{ Key: 'user', Value: 'alice' }], SourceIdentity: 'alice' })).resolves.toMatchObject({
      SourceIdentity: 'alice',
    });
  });

  it('refuses tags that AWS keeps for itself and tags given twice', async () => {
    await expect(assume('path/to/Open', { Tags: [{ Key: 'aws:x', Value: 'y' }] })).rejects.toMatchObject({ name: 'ValidationError' });
    const twice = [
      { Key: 'team', Value: 'a' },
      { Key: 'Team', Value: 'b' },
    ];
    await expect(assume('path/to/Open', { Tags: twice })).rejects.toMatchObject({ name: 'InvalidParameterValue' });
  });

  it('chains: an hour at most, the source identity fixed, transitive tags handed on', async () => {
    const { Credentials: first } = await assume('path/to/Open', {
      SourceIdentity: 'alice',
      Tags: [{ Key: 'team', Value: 'red' }],
      TransitiveTagKeys: ['team'],
    });
    await expect(assume('path/to/Open', { DurationSeconds: 3601 }, first)).rejects.toMatchObject({
      message: 'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.',
    });
    await expect(assume('path/to/Open', { SourceIdentity: 'bob' }, first)).rejects.toMatchObject({ name: 'AccessDenied' });
    await expect(assume('path/to/Open', { Tags: [{ Key: 'Team', Value: 'blue' }] }, first)).rejects.toMatchObject({
      name: 'InvalidParameterValue',
    });
    await expect(assume('Plain', {}, first)).rejects.toMatchObject({ name: 'AccessDenied' });
    const { Credentials: second, SourceIdentity } = await assume('path/to/Open', {}, first);
    expect(SourceIdentity).toBe('alice');
    await client(second).send(new GetCallerIdentityCommand());
    expect(emulator.log().at(-1)?.identity).toMatchObject({
      tags: { team: 'red' },
      sourceIdentity: 'alice',
      chain: [expect.stringContaining('assumed-role/Open'), `arn:aws:iam::${account}:user/agent`],
    });
  });

  it('gives out bad credentials when told to', async () => {
    emulator.setMode('AssumeRole', { creds: 'expired', times: 1 });
    expect((await assume('Plain')).Credentials?.Expiration?.getTime()).toBeLessThan(clock);
    emulator.setMode('AssumeRole', { creds: 'one-second', times: 1 });
    expect((await assume('Plain')).Credentials?.Expiration?.getTime()).toBeLessThanOrEqual(clock + 1000);
    emulator.setMode('AssumeRole', { creds: 'malformed', times: 1 });
    expect((await assume('Plain')).Credentials?.SecretAccessKey).toBeUndefined();
    expect((await assume('Plain')).Credentials?.SecretAccessKey).toBeDefined();
  });
});
