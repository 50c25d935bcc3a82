import { AssumeRoleCommand, GetFederationTokenCommand, GetSessionTokenCommand, type Credentials, STSClient } from '@aws-sdk/client-sts';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type Emulator, startEmulator } from '#index.ts';
import { sendWire } from '#testing/wire.ts';

const account = '123456789012';
const key = { id: 'AKIAEXAMPLEEXAMPLE00', secret: 'secret' };
const directory = mkdtempSync(join(tmpdir(), 'emulator-federation-'));
const rawLog = join(directory, 'raw.jsonl');
let clock = Date.now();
let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator({
    accountId: account,
    accessKeys: [key],
    hosts: 'any',
    rawLog,
    nowMs: () => clock,
    roles: [
      { name: 'ExampleTeleportDynamoDBRole', maxSessionDurationSeconds: 43_200 },
      { name: 'Short' },
      { arn: `arn:aws:iam::210987654321:role/Other` },
      { arn: `arn:aws-cn:iam::${account}:role/China` },
    ],
  });
});
afterAll(async () => {
  await emulator.close();
  rmSync(directory, { recursive: true });
});

function sts(from?: Credentials): STSClient {
  const { AccessKeyId = key.id, SecretAccessKey = key.secret, SessionToken } = from ?? {};
  const credentials = {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    ...(SessionToken === undefined ? {} : { sessionToken: SessionToken }),
  };
  return new STSClient({ endpoint: emulator.url, region: 'us-east-1', maxAttempts: 1, systemClockOffset: clock - Date.now(), credentials });
}

async function assume(role = 'ExampleTeleportDynamoDBRole', from?: Credentials): Promise<Credentials> {
  const arn = role.startsWith('arn:') ? role : `arn:aws:iam::${account}:role/${role}`;
  const { Credentials: given } = await sts(from).send(
    new AssumeRoleCommand({ RoleArn: arn, RoleSessionName: 'alice', DurationSeconds: 900 }),
  );
  if (given === undefined) throw new Error('no credentials');
  return given;
}

const get = (host: string, path: string, cookie?: string) =>
  sendWire({
    port: emulator.port,
    method: 'GET',
    path,
    headers: [['Host', host], ...(cookie === undefined ? [] : [['Cookie', cookie] as const])],
  });

async function signinToken(credentials: Credentials, more = '', host = 'signin.aws.amazon.com') {
  const session = { sessionId: credentials.AccessKeyId, sessionKey: credentials.SecretAccessKey, sessionToken: credentials.SessionToken };
  const answer = await get(host, `/federation?Action=getSigninToken${more}&Session=${encodeURIComponent(JSON.stringify(session))}`);
  const token = answer.status === 200 ? (JSON.parse(answer.text) as { readonly SigninToken: string }).SigninToken : '';
  return { ...answer, token };
}

const issuer = 'https://teleport.example.com/web/launch/aws';
const deepLink = 'https://us-west-2.console.aws.amazon.com/dynamodbv2/home?region=us-west-2#tables';
const signIn = (token: string, more: { readonly destination?: string; readonly host?: string; readonly cookie?: string } = {}) =>
  get(
    more.host ?? 'signin.aws.amazon.com',
    `/federation?Action=login&Issuer=${encodeURIComponent(issuer)}&Destination=${encodeURIComponent(more.destination ?? deepLink)}&SigninToken=${token}`,
    more.cookie,
  );
const cookieOf = (answer: Awaited<ReturnType<typeof get>>): string => answer.headers['set-cookie']?.[0]?.split(';')[0] ?? '';

describe('console sign-in', () => {
  it('leads to the page of the deep link, as the session of the role', async () => {
    const credentials = await assume();
    const { token } = await signinToken(credentials);
    const answer = await signIn(token);
    expect([answer.status, answer.headers.location, answer.headers['cache-control']]).toEqual([302, deepLink, 'no-store']);
    expect(answer.headers['set-cookie']?.[0]).toContain('Domain=amazon.com; Path=/; HttpOnly; SameSite=Lax');
    const page = await get('us-west-2.console.aws.amazon.com', '/dynamodbv2/home?region=us-west-2', cookieOf(answer));
    expect(page.text).toContain('ExampleTeleportDynamoDBRole/alice');
    expect(page.text).toContain('<html lang="en">');
    expect(page.text).toContain('/dynamodbv2/home?region=us-west-2');
  });

  it('takes a token once, and for 15 minutes', async () => {
    const credentials = await assume();
    const { token } = await signinToken(credentials);
    expect((await signIn(token)).status).toBe(302);
    expect(await signIn(token)).toMatchObject({ status: 400, text: expect.stringContaining('SigninToken is not valid') });
    const late = (await signinToken(credentials)).token;
    clock += 15 * 60_000;
    expect((await signIn(late)).status).toBe(400);
  });

  it('lasts as long as the credentials, and then leads to the issuer', async () => {
    const answer = await signIn((await signinToken(await assume())).token);
    clock += 899_000;
    expect((await get('console.aws.amazon.com', '/console/home', cookieOf(answer))).status).toBe(200);
    clock += 2000;
    expect(await get('console.aws.amazon.com', '/console/home', cookieOf(answer))).toMatchObject({
      status: 302,
      headers: { location: issuer },
    });
    expect((await get('console.aws.amazon.com', '/console/home', 'aws-console-session=x')).status).toBe(401);
  });

  it('lasts longer where that is asked for, which only long-lived keys may, within what the role allows', async () => {
    const longLived = await assume();
    const answer = await signIn((await signinToken(longLived, '&SessionDuration=43200')).token);
    clock += 43_190_000;
    expect((await get('console.aws.amazon.com', '/console/home', cookieOf(answer))).status).toBe(200);
    const refusals = [
      [await signinToken(await assume(), '&SessionDuration=43201'), 'between 900 and 43200'],
      [await signinToken(await assume(), '&SessionDuration=899'), 'between 900 and 43200'],
      [await signinToken(await assume('Short'), '&SessionDuration=3601'), 'maximum session duration of the role'],
      [await signinToken(await assume('Short', await assume()), '&SessionDuration=900'), 'assumed with temporary credentials'],
    ] as const;
    for (const [{ status, text }, why] of refusals) expect([status, text]).toEqual([400, expect.stringContaining(why)]);
    expect((await signinToken(await assume('Short', await assume()))).status).toBe(200);
  });

  it('is not given for a user of long-lived keys, a wrong secret, or credentials that have expired', async () => {
    const credentials = await assume();
    const session = (await sts().send(new GetSessionTokenCommand({}))).Credentials;
    const federated = (await sts().send(new GetFederationTokenCommand({ Name: 'guest' }))).Credentials;
    if (session === undefined || federated === undefined) throw new Error('no credentials');
    expect((await signinToken({ ...credentials, SecretAccessKey: 'other' })).status).toBe(400);
    expect((await signinToken({ ...credentials, AccessKeyId: key.id, SecretAccessKey: key.secret })).status).toBe(400);
    expect((await signinToken(session)).status).toBe(400);
    expect((await signinToken(federated)).status).toBe(200);
    expect((await signinToken(federated, '&SessionDuration=900')).status).toBe(400);
    clock += 901_000;
    expect(await signinToken(credentials)).toMatchObject({ status: 400, text: expect.stringContaining('is expired') });
  });

  it.each([
    'https://console.aws.amazon.com.evil.example/console/home',
    'http://console.aws.amazon.com/console/home',
    'https://user@console.aws.amazon.com/console/home',
    'https://console.amazonaws.cn/console/home',
    'https://evil.example/?https://console.aws.amazon.com/',
    'javascript:alert(1)',
  ])('does not lead to %s', async (destination) => {
    expect(await signIn((await signinToken(await assume())).token, { destination })).toMatchObject({ status: 400 });
  });

  it('keeps partitions apart', async () => {
    const china = await assume(`arn:aws-cn:iam::${account}:role/China`);
    expect((await signinToken(china)).status).toBe(400);
    const { token } = await signinToken(china, '', 'signin.amazonaws.cn');
    const answer = await signIn(token, {
      host: 'signin.amazonaws.cn',
      destination: 'https://cn-north-1.console.amazonaws.cn/console/home',
    });
    expect([answer.status, answer.headers['set-cookie']?.[0]]).toEqual([302, expect.stringContaining('Domain=amazonaws.cn')]);
    expect((await get('cn-north-1.console.amazonaws.cn', '/console/home', cookieOf(answer))).text).toContain('China/alice');
  });

  it('asks to log out before another account is logged in to; the regional host then goes on where it is told', async () => {
    const first = await signIn((await signinToken(await assume())).token);
    const other = (await signinToken(await assume('arn:aws:iam::210987654321:role/Other'))).token;
    expect(await signIn(other, { cookie: cookieOf(first) })).toMatchObject({ status: 400, text: expect.stringContaining('first log out') });
    const target = encodeURIComponent('https://us-east-1.signin.aws.amazon.com/federation?Action=login');
    const out = (host: string, to = target) => get(host, `/oauth?Action=logout&redirect_uri=${to}`, cookieOf(first));
    expect((await out('signin.aws.amazon.com')).status).toBe(200);
    expect((await out('us-east-1.signin.aws.amazon.com')).status).toBe(302);
    expect((await out('us-east-1.signin.aws.amazon.com', encodeURIComponent('https://evil.example/'))).status).toBe(200);
    expect((await get('console.aws.amazon.com', '/console/home', cookieOf(first))).status).toBe(401);
    expect((await signIn(other, { cookie: cookieOf(first) })).status).toBe(302);
  });

  it('stays at the address of the emulator where a browser is pointed at that', async () => {
    const host = `127.0.0.1:${emulator.port}`;
    const answer = await signIn((await signinToken(await assume(), '', host)).token, { host });
    expect([answer.status, answer.headers.location]).toEqual([302, '/dynamodbv2/home?region=us-west-2']);
    expect((await get(host, '/dynamodbv2/home?region=us-west-2', cookieOf(answer))).text).toContain('ExampleTeleportDynamoDBRole/alice');
  });

  it('leaves role, session, duration, issuer and destination in the raw log, and none of its secrets', async () => {
    const credentials = await assume();
    const { token } = await signinToken(credentials, '&SessionDuration=1800');
    const answer = await signIn(token);
    await get('console.aws.amazon.com', '/console/home', cookieOf(answer));
    const entries = emulator.log().slice(-3);
    expect(entries[0]).toMatchObject({
      service: 'signin',
      operation: 'getSigninToken',
      path: '/federation?Action=getSigninToken&SessionDuration=1800&Session=-',
      parameters: { SessionDuration: '1800' },
      identity: { roleArn: `arn:aws:iam::${account}:role/ExampleTeleportDynamoDBRole`, sessionName: 'alice' },
    });
    expect(entries[1]).toMatchObject({
      operation: 'login',
      parameters: { Issuer: issuer, Destination: deepLink },
      identity: { sessionName: 'alice' },
    });
    const text = readFileSync(rawLog, 'utf8');
    const secrets = [
      token,
      cookieOf(answer).split('=')[1] ?? '',
      credentials.SecretAccessKey ?? '',
      encodeURIComponent(credentials.SessionToken ?? ''),
    ];
    expect(secrets.filter((secret) => secret.length < 20 || text.includes(secret))).toEqual([]);
    expect(text).toContain('"cookie","-"'.replace('cookie', 'Cookie'));
  });
});
