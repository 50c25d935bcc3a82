import { afterEach, describe, expect, it } from 'vitest';
import {
  addToken,
  announce,
  appServer,
  auditRecords,
  callUnary,
  CONSOLE,
  type JoinedHost,
  joinAs,
  presence,
  putResource,
  resources,
  startTestAuth,
  type TestAuth,
} from '#testing/test-auth.ts';

let test: TestAuth;
afterEach(() => test.stop());

async function agentFor(appName: string, more: { readonly appUri?: string; readonly labels?: Readonly<Record<string, string>> } = {}) {
  return joinAs(test, { token: await addToken(test, { roles: ['app'], appName, ...more }), role: 'app' });
}
async function proxyAt(publicAddress: string): Promise<void> {
  const proxy = await joinAs(test, { token: await addToken(test, { roles: ['proxy'] }), role: 'proxy' });
  await callUnary(test.client(proxy), presence.definition.announceProxy, { publicAddress, ownAddress: '', version: '0.1.0' });
}
const reasons = async (host: JoinedHost, ...servers: readonly ReturnType<typeof appServer>[]) =>
  (await announce(test, host, servers)).refusals.map(({ reason }) => reason);
const app = (name: string, spec: Readonly<Record<string, unknown>> = {}, labels: Readonly<Record<string, string>> = {}) => ({
  kind: 'app',
  version: 'v3',
  metadata: { name, labels },
  spec: { uri: CONSOLE, ...spec },
});

describe('an application that an agent announces', () => {
  it('is served under the name and address that its token binds, and no other', async () => {
    test = await startTestAuth();
    const agent = await agentFor('aws', { appUri: CONSOLE });
    expect(await reasons(agent, appServer('aws'))).toEqual([]);
    expect(await reasons(agent, appServer('prod'))).toEqual([expect.stringMatching(/tctl tokens add --type=app --app-name=prod$/u)]);
    expect(await reasons(agent, appServer('aws', { uri: 'https://console.amazonaws.cn/' }))).toEqual([
      'the join token binds aws to another uri than the agent announces',
    ]);
    const codes = (kind: string) => auditRecords(test, kind).then((records) => records.map(({ code }) => code));
    expect(await codes('app_server.announced')).toEqual(['TPS01I']);
    expect(await codes('app_server.refused')).toEqual(['TPS01E', 'TPS01E']);
  });

  it('is a console of AWS with an account of twelve digits and a host name, or refused with the reason', async () => {
    test = await startTestAuth();
    const agent = await agentFor('aws');
    for (const [said, reason] of [
      [{ uri: 'http://169.254.169.254/' }, /^uri is not an address of the AWS console/u],
      [{ uri: '' }, /^uri is not an address/u],
      [{ labels: { aws_account_id: '12' } }, /twelve digits/u],
      [{ labels: { 'teleport.dev/origin': 'x' } }, /reserved for the cluster/u],
      [{ publicAddress: '127.0.0.1' }, /^public_addr is an address in numbers/u],
      [{ publicAddress: 'AWS.example.com' }, /^public_addr must be a host name in lower case/u],
    ] as const)
      expect(await reasons(agent, appServer('aws', said))).toEqual([expect.stringMatching(reason)]);
  });

  it('carries the labels of its token over its own, and a change of them is recorded', async () => {
    test = await startTestAuth();
    const agent = await agentFor('aws', { labels: { env: 'prod' } });
    const answer = await announce(test, agent, [appServer('aws', { labels: { env: 'dev', team: 'a' } })]);
    expect(answer.effectiveLabels['aws']?.labels).toEqual({ env: 'prod', team: 'a' });
    await announce(test, agent, [appServer('aws', { labels: { team: 'b' } })]);
    const records = await auditRecords(test, 'app_server.announced');
    expect(records.at(-1)).toMatchObject({
      code: 'TPS02I',
      app_labels: { env: 'prod', team: 'b' },
      app_labels_before: { env: 'prod', team: 'a' },
    });
  });

  it('cannot be taken over by another token’s agent with another address, and may be shared with the same', async () => {
    test = await startTestAuth();
    const [first, second] = [await agentFor('aws'), await agentFor('aws')];
    expect(await reasons(first, appServer('aws'))).toEqual([]);
    expect(await reasons(second, appServer('aws', { publicAddress: 'aws.example.com' }))).toEqual([
      expect.stringContaining(`aws is served already by agent ${first.hostId}`),
    ]);
    expect(await reasons(second, appServer('aws'))).toEqual([]);
  });

  it('from the cluster is what the cluster says, whatever the agent says of it', async () => {
    test = await startTestAuth();
    const agent = await agentFor('');
    await putResource(test, app('dynamic', { public_addr: 'aws.example.com' }, { aws_account_id: '123456789012' }));
    const lie = appServer('dynamic', {
      dynamic: true,
      uri: 'https://evil.example',
      labels: { env: 'dev' },
      publicAddress: 'evil.example.com',
    });
    expect(await reasons(agent, lie)).toEqual([]);
    const shown = await callUnary(test.client(test.admin), resources.definition.getResource, {
      kind: 'app_server',
      name: `dynamic/${agent.hostId}`,
      withSecrets: false,
    });
    expect(JSON.parse(shown.json.toString())).toMatchObject({
      metadata: { labels: { aws_account_id: '123456789012' } },
      spec: { app: { spec: { uri: CONSOLE, cloud: 'AWS', public_addr: 'aws.example.com' } } },
    });
  });

  it('is not a database: each kind of agent serves its own', async () => {
    test = await startTestAuth();
    const agent = await agentFor('aws');
    expect(await reasons(agent, { ...appServer('aws'), kind: 'db' })).toEqual([
      'an agent that joined as app cannot serve a resource of kind "db"',
    ]);
  });
});

describe('AP-05 the host name of an application', () => {
  it('is neither the proxy’s own nor another application’s, by announcement and by resource', async () => {
    test = await startTestAuth();
    await proxyAt('Teleport.example.com:443');
    const agent = await agentFor('aws');
    expect(await reasons(agent, appServer('aws', { publicAddress: 'teleport.example.com' }))).toEqual([
      'teleport.example.com is the address of the proxy: give app/aws another public_addr',
    ]);
    expect(await reasons(agent, appServer('aws'))).toEqual([]);
    const put = (resource: Parameters<typeof putResource>[1]) =>
      putResource(test, resource).then(
        () => 'ok',
        (error: unknown) => (error as Error).message,
      );
    expect(await put(app('other', { public_addr: 'teleport.example.com' }))).toMatch(/is the address of the proxy/u);
    expect(await put(app('other', { public_addr: 'aws.teleport.example.com' }))).toBe(
      'aws.teleport.example.com is the address of app/aws: give app/other another public_addr',
    );
    expect(await put(app('other', { public_addr: 'AWS.example.com' }))).toMatch(/must be a host name in lower case/u);
    expect(await put(app('other', { public_addr: 'shop.example.com' }))).toBe('ok');
    expect(await put(app('other', { public_addr: 'shop.example.com' }, { env: 'dev' }))).toBe('ok');
    expect(await put(app('third', { public_addr: 'shop.example.com' }))).toMatch(/is the address of app\/other/u);
  });

  it('that follows from its name is not the proxy’s own either', async () => {
    test = await startTestAuth();
    await proxyAt('example.com:443');
    await proxyAt('aws.example.com:443');
    expect(await reasons(await agentFor('aws'), appServer('aws'))).toEqual([
      expect.stringMatching(/^aws\.example\.com is the address of the proxy/u),
    ]);
  });
});

describe('a token for applications', () => {
  it('is not made for a name or an address that no agent may serve', async () => {
    test = await startTestAuth();
    const refused = (token: { readonly appName: string; readonly appUri?: string }) =>
      addToken(test, { roles: ['app'], ...token }).then(
        () => 'ok',
        (error: unknown) => (error as Error).message,
      );
    expect(await refused({ appName: 'aws', appUri: CONSOLE })).toBe('ok');
    expect(await refused({ appName: 'AWS' })).toMatch(/^--app-name "AWS": the name of an app is part of a host name/u);
    expect(await refused({ appName: 'grafana', appUri: 'http://localhost:3000' })).toMatch(
      /^--app-uri "http:\/\/localhost:3000" is not an address of the AWS console/u,
    );
  });
});
