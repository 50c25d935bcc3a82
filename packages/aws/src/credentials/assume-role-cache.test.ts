import { hash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { agentCredentials } from '#credentials/agent-credentials.ts';
import { AssumeRoleCache, type AssumeRoleCacheOptions } from '#credentials/assume-role-cache.ts';
import type { AssumeRoleRequest } from '#credentials/assume-role-request.ts';
import type { Credentials } from '#credentials/credentials.ts';
import { SigningKeys } from '#sigv4/signing-keys.ts';
import { verifyRequest } from '#sigv4/verify-request.ts';

const agent = { accessKeyId: 'AKIAAGENTAGENTAGENT0', secretAccessKey: 'agent-secret' };
const reader = 'arn:aws:iam::123456789012:role/team/Reader';
const base: AssumeRoleRequest = { user: 'alice', region: 'eu-west-1', roleArn: reader, sessionName: 'alice' };
const minute = 60_000;

type Call = { readonly form: URLSearchParams; readonly host: string | undefined; readonly accessKeyId: string };
type Answer = { readonly status?: number; readonly headers?: Record<string, string>; readonly body: string };

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

/** An STS that answers over HTTP, checks each signature and issues keys; `answer` may say something else. */
async function startSts(changes: Partial<AssumeRoleCacheOptions> = {}) {
  const calls: Call[] = [];
  const issued = new Map<string, Credentials>([[agent.accessKeyId, agent]]);
  const state = {
    now: Date.UTC(2026, 5, 1),
    sleeps: [] as number[],
    warnings: [] as string[],
    answer: (_call: Call): Answer | undefined | Promise<Answer | undefined> => undefined,
  };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      const verified = verifyRequest(
        {
          method: request.method ?? '',
          path: '/',
          query: '',
          headers: request.rawHeaders,
          bodySha256: hash('sha256', body),
          nowMs: state.now,
        },
        { credentialsOf: (id) => issued.get(id), keys: new SigningKeys() },
      );
      if (!('credentials' in verified)) {
        response.statusCode = 403;
        response.end(errorXml('SignatureDoesNotMatch', 'refusal' in verified ? verified.refusal : 'no body'));
        return;
      }
      const call = {
        form: new URLSearchParams(body.toString()),
        host: request.headers.host,
        accessKeyId: verified.credentials.accessKeyId,
      };
      calls.push(call);
      const id = `ASIA${String(calls.length).padStart(16, '0')}`;
      const seconds = Number(call.form.get('DurationSeconds'));
      issued.set(id, { accessKeyId: id, secretAccessKey: `secret/${id}`, sessionToken: `token&${id}` });
      void (async () => {
        const answer = (await state.answer(call)) ?? {
          body: answerXml({
            id,
            role: call.form.get('RoleArn') ?? '',
            session: call.form.get('RoleSessionName') ?? '',
            expiresAtMs: state.now + seconds * 1000,
          }),
        };
        response.writeHead(answer.status ?? 200, answer.headers);
        response.end(answer.body);
      })();
    });
  });
  stops.push(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const env = {
    AWS_ACCESS_KEY_ID: agent.accessKeyId,
    AWS_SECRET_ACCESS_KEY: agent.secretAccessKey,
    AWS_ENDPOINT_URL_STS: `http://127.0.0.1:${port}`,
  };
  const now = (): number => state.now;
  const source = agentCredentials({ env, now });
  const cache = new AssumeRoleCache({
    source,
    env,
    keys: new SigningKeys(),
    now,
    random: () => 0.5,
    sleep: (ms) => {
      state.sleeps.push(ms);
      return Promise.resolve();
    },
    log: (_, message) => state.warnings.push(message),
    ...changes,
  });
  return { cache, calls, state, env, source };
}

function answerXml(input: { id: string; role: string; session: string; expiresAtMs: number; arn?: string }): string {
  const [, partition, , , account, resource = ''] = input.role.split(':');
  const arn = input.arn ?? `arn:${partition}:sts::${account}:assumed-role/${resource.split('/').at(-1)}/${input.session}`;
  const token = `token&amp;${input.id}`;
  const keys = `<AccessKeyId>${input.id}</AccessKeyId><SecretAccessKey>secret/${input.id}</SecretAccessKey><SessionToken>${token}</SessionToken>`;
  const expiration = `<Expiration>${new Date(input.expiresAtMs).toISOString()}</Expiration>`;
  const user = `<AssumedRoleUser><AssumedRoleId>AROA:x</AssumedRoleId><Arn>${arn}</Arn></AssumedRoleUser>`;
  return `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>${user}<Credentials>${keys}${expiration}</Credentials></AssumeRoleResult></AssumeRoleResponse>`;
}

function errorXml(code: string, message: string): string {
  return `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error><RequestId>r</RequestId></ErrorResponse>`;
}

const denied = (action: string): Answer => ({
  status: 403,
  body: errorXml(
    'AccessDenied',
    `User: arn:aws:iam::123456789012:user/agent is not authorized to perform: ${action} on resource: ${reader}`,
  ),
});

describe('the call of STS', () => {
  test('it is signed for the regional host whatever is dialled, and the answer becomes credentials', async () => {
    const { cache, calls, state } = await startSts();
    expect(await cache.credentialsFor(base)).toEqual({
      accessKeyId: 'ASIA0000000000000001',
      secretAccessKey: 'secret/ASIA0000000000000001',
      sessionToken: 'token&ASIA0000000000000001',
      expiresAtMs: state.now + 3_600_000,
      accountId: '123456789012',
    });
    expect(calls[0]?.host).toBe('sts.eu-west-1.amazonaws.com');
    expect(Object.fromEntries(calls[0]?.form ?? [])).toEqual({
      Action: 'AssumeRole',
      Version: '2011-06-15',
      RoleArn: reader,
      RoleSessionName: 'alice',
      DurationSeconds: '3600',
    });
  });

  test('tags, source identity and external id go with it, encoded', async () => {
    const { cache, calls } = await startSts();
    await cache.credentialsFor({ ...base, externalId: 'ext:1/2', sourceIdentity: 'alice', tags: { team: 'a=b +c', Cost: '' } });
    const form = calls[0]?.form;
    expect([form?.get('ExternalId'), form?.get('SourceIdentity')]).toEqual(['ext:1/2', 'alice']);
    expect([form?.get('Tags.member.1.Key'), form?.get('Tags.member.2.Key'), form?.get('Tags.member.2.Value')]).toEqual([
      'Cost',
      'team',
      'a=b +c',
    ]);
  });

  test('with an assume_role_arn that role comes first, shared by users, and takes the external id', async () => {
    const { cache, calls } = await startSts();
    const gate = 'arn:aws:iam::123456789012:role/Gate';
    await cache.credentialsFor({ ...base, assumeRoleArn: gate, externalId: 'ext' });
    await cache.credentialsFor({ ...base, user: 'bob', sessionName: 'bob', assumeRoleArn: gate, externalId: 'ext' });
    expect(
      calls.map(({ form, accessKeyId }) => [form.get('RoleArn'), form.get('RoleSessionName'), form.get('ExternalId'), accessKeyId]),
    ).toEqual([
      [gate, 'postern-agent', 'ext', agent.accessKeyId],
      [reader, 'alice', null, 'ASIA0000000000000001'],
      [reader, 'bob', null, 'ASIA0000000000000001'],
    ]);
  });

  test.each([
    [undefined, '3600'],
    [60, '900'],
    [900, '900'],
    [901, '901'],
    [3600, '3600'],
    [3601, '3600'],
    [43_200, '3600'],
  ])('a duration of %s seconds is asked for as %s', async (durationSeconds, sent) => {
    const { cache, calls } = await startSts();
    await cache.credentialsFor(durationSeconds === undefined ? base : { ...base, durationSeconds });
    expect(calls[0]?.form.get('DurationSeconds')).toBe(sent);
  });

  test.each([
    ['a session name with a parameter in it', { sessionName: 'x&Action=GetSessionToken' }],
    ['a session name of 65 characters', { sessionName: 'a'.repeat(65) }],
    ['a session name of one', { sessionName: 'a' }],
    ['a tag key of AWS', { tags: { 'aws:principal': 'x' } }],
    ['tag keys that differ in case only', { tags: { a: '1', A: '2' } }],
    ['a tag with a line break', { tags: { a: 'x\n&Action=y' } }],
    ['a tag of 257 characters', { tags: { a: 'x'.repeat(257) } }],
    ['51 tags', { tags: Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`t${i}`, ''])) }],
    ['an external id with a blank', { externalId: 'a b' }],
    ['a source identity of AWS', { sourceIdentity: 'aws:x' }],
    ['a role that is none', { roleArn: 'arn:aws:iam::123456789012:user/x' }],
    ['a role of another partition', { roleArn: 'arn:aws-cn:iam::123456789012:role/x' }],
    ['a first role of another partition', { assumeRoleArn: 'arn:aws-cn:iam::123456789012:role/x' }],
    ['a region of no partition', { region: 'evil.com' }],
  ])('%s is refused before anything is sent', async (_, changes) => {
    const { cache, calls } = await startSts();
    await expect(cache.credentialsFor({ ...base, ...changes })).rejects.toMatchObject({ code: 'invalid' });
    expect(calls).toHaveLength(0);
    expect(cache.size).toBe(0);
  });

  test('64 characters of session name, 50 tags and 256 characters of value are taken', async () => {
    const { cache } = await startSts();
    const tags = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`t${i}`, 'x'.repeat(256)]));
    await cache.credentialsFor({ ...base, sessionName: 'a'.repeat(64), tags });
  });
});

describe('what STS must not get away with', () => {
  test.each([
    ['already expired', { expiresInMs: -1000 }],
    ['expiring in a second', { expiresInMs: 1000 }],
    ['expiring in 59 seconds', { expiresInMs: 59_000 }],
    ['of another account', { arn: 'arn:aws:sts::210987654321:assumed-role/Reader/alice' }],
    ['of another role', { arn: 'arn:aws:sts::123456789012:assumed-role/Admin/alice' }],
    ['of another session', { arn: 'arn:aws:sts::123456789012:assumed-role/Reader/bob' }],
    ['with a header break in the token', { id: 'ASIA0000000000000001</AccessKeyId>&#13;' }],
    ['not XML at all', { body: 'hello' }],
    ['empty', { body: '' }],
    ['JSON', { body: '{"AccessKeyId":"ASIA0000000000000001"}' }],
  ])('credentials %s are refused and not kept', async (_, wrong: { expiresInMs?: number; arn?: string; id?: string; body?: string }) => {
    const { cache, calls, state } = await startSts();
    const expiresAtMs = state.now + (wrong.expiresInMs ?? 3_600_000);
    const body =
      wrong.body ??
      answerXml({
        id: wrong.id ?? 'ASIA0000000000000001',
        role: reader,
        session: 'alice',
        expiresAtMs,
        ...(wrong.arn === undefined ? {} : { arn: wrong.arn }),
      });
    state.answer = () => ({ body });
    await expect(cache.credentialsFor(base)).rejects.toMatchObject({ code: 'invalid' });
    state.answer = () => undefined;
    expect(await cache.credentialsFor(base)).toHaveProperty('accessKeyId');
    expect(calls).toHaveLength(2);
  });

  test('credentials of 60 seconds are just long enough', async () => {
    const { cache, state } = await startSts();
    state.answer = () => ({
      body: answerXml({ id: 'ASIA0000000000000001', role: reader, session: 'alice', expiresAtMs: state.now + minute }),
    });
    expect(await cache.credentialsFor(base)).toHaveProperty('accessKeyId');
  });
});

describe('the cache', () => {
  test('a hundred who ask at once cause one call, and all later ones none', async () => {
    const { cache, calls } = await startSts();
    const all = await Promise.all(Array.from({ length: 100 }, () => cache.credentialsFor(base)));
    expect(new Set(all).size).toBe(1);
    expect(await cache.credentialsFor({ ...base })).toBe(all[0]);
    expect(calls).toHaveLength(1);
  });

  test.each([
    ['another user', { user: 'bob' }],
    ['another session name', { sessionName: 'alice2' }],
    ['another role', { roleArn: 'arn:aws:iam::123456789012:role/Writer' }],
    ['another region', { region: 'eu-west-2' }],
    ['tags', { tags: { a: 'b' } }],
    ['a source identity', { sourceIdentity: 'alice' }],
    ['an external id', { externalId: 'ext' }],
    ['another duration', { durationSeconds: 900 }],
  ])('%s is another entry', async (_, changes) => {
    const { cache } = await startSts();
    expect(await cache.credentialsFor({ ...base, ...changes })).not.toBe(await cache.credentialsFor(base));
  });

  test('the order of tags makes no difference', async () => {
    const { cache } = await startSts();
    expect(await cache.credentialsFor({ ...base, tags: { a: '1', b: '2' } })).toBe(
      await cache.credentialsFor({ ...base, tags: { b: '2', a: '1' } }),
    );
  });

  test('credentials are renewed early in the background, and an hour of them outlasts ten minutes without STS', async () => {
    const { cache, calls, state } = await startSts();
    const first = await cache.credentialsFor(base);
    state.now += 44 * minute;
    expect(await cache.credentialsFor(base)).toBe(first);
    expect(calls).toHaveLength(1);
    state.answer = () => ({ status: 503, body: '' });
    for (let i = 0; i < 10; i += 1) {
      state.now += minute;
      expect(await cache.credentialsFor(base)).toBe(first);
      await vi.waitFor(() => expect(state.warnings).toHaveLength(i + 1));
    }
    state.answer = () => undefined;
    state.now += minute;
    expect(await cache.credentialsFor(base)).toBe(first);
    await vi.waitFor(async () => expect(await cache.credentialsFor(base)).not.toBe(first));
  });

  test('when they have run out and STS is away, the request fails as unavailable', async () => {
    const { cache, state } = await startSts();
    await cache.credentialsFor(base);
    state.answer = () => ({ status: 500, body: '' });
    state.now += 60 * minute - 5000;
    await expect(cache.credentialsFor(base)).rejects.toMatchObject({ code: 'unavailable' });
  });

  test('nothing is handed out from the end of the certificate on, cached or not', async () => {
    const { cache, calls, state } = await startSts();
    const useUntilMs = state.now + minute;
    await cache.credentialsFor({ ...base, useUntilMs });
    state.now += minute - 1;
    await cache.credentialsFor({ ...base, useUntilMs });
    state.now += 1;
    await expect(cache.credentialsFor({ ...base, useUntilMs })).rejects.toMatchObject({ code: 'expired' });
    await expect(cache.credentialsFor({ ...base, user: 'bob', useUntilMs })).rejects.toMatchObject({ code: 'expired' });
    expect(calls).toHaveLength(1);
  });

  test('a certificate that ends while STS is thinking gets nothing either', async () => {
    const { cache, state } = await startSts();
    const useUntilMs = state.now + minute;
    state.answer = () => {
      state.now += 2 * minute;
      return undefined;
    };
    await expect(cache.credentialsFor({ ...base, useUntilMs })).rejects.toMatchObject({ code: 'expired' });
  });

  test('flush drops what a user has, and what is on its way for the user is not kept', async () => {
    const { cache, calls, state } = await startSts();
    await cache.credentialsFor(base);
    await cache.credentialsFor({ ...base, user: 'bob', sessionName: 'bob' });
    cache.flush('alice');
    expect(cache.size).toBe(1);
    const gate = Promise.withResolvers<undefined>();
    state.answer = () => gate.promise;
    const waiting = cache.credentialsFor(base);
    await vi.waitFor(() => expect(calls).toHaveLength(3));
    cache.flush('alice');
    gate.resolve(undefined);
    await waiting;
    expect(cache.size).toBe(1);
    cache.flushAll();
    expect(cache.size).toBe(0);
  });

  test('a thousand entries are kept and one more puts the oldest out', async () => {
    const { cache, calls } = await startSts({
      send: ({ body }) => {
        const form = new URLSearchParams(body.toString());
        calls.push({ form, host: '', accessKeyId: '' });
        const xml = answerXml({
          id: 'ASIA0000000000000001',
          role: reader,
          session: form.get('RoleSessionName') ?? '',
          expiresAtMs: Date.UTC(2026, 5, 1) + 3_600_000,
        });
        return Promise.resolve({ status: 200, headers: {}, body: Buffer.from(xml) });
      },
    });
    for (let i = 0; i < 1000; i += 1) await cache.credentialsFor({ ...base, user: `u${i}`, sessionName: `u${i}` });
    expect(cache.size).toBe(1000);
    await cache.credentialsFor({ ...base, user: 'u0', sessionName: 'u0' });
    expect(calls).toHaveLength(1000);
    await cache.credentialsFor({ ...base, user: 'u1000', sessionName: 'u1000' });
    expect(cache.size).toBe(1000);
    await cache.credentialsFor({ ...base, user: 'u1', sessionName: 'u1' });
    expect(calls).toHaveLength(1002);
  });

  test('as many calls as allowed are on their way at once, and one more is turned away', async () => {
    const { cache, calls, state } = await startSts({ maxFlights: 3 });
    const gate = Promise.withResolvers<undefined>();
    state.answer = () => gate.promise;
    const waiting = [1, 2, 3].map((i) => cache.credentialsFor({ ...base, user: `u${i}`, sessionName: `u${i}` }));
    await vi.waitFor(() => expect(calls).toHaveLength(3));
    await expect(cache.credentialsFor({ ...base, user: 'u4', sessionName: 'u4' })).rejects.toMatchObject({
      code: 'unavailable',
      retryAfterMs: 1000,
    });
    gate.resolve(undefined);
    await Promise.all(waiting);
  });
});

describe('refusals of STS', () => {
  test('a role that may not be assumed is said in plain words, without the ARN of the agent, and asked again after 5 to 10 seconds', async () => {
    const { cache, calls, state } = await startSts();
    state.answer = () => denied('sts:AssumeRole');
    const failure = cache.credentialsFor(base);
    await expect(failure).rejects.toMatchObject({
      code: 'denied',
      message: `role ${reader} cannot be assumed by this agent (its trust policy or the agent's sts:AssumeRole permission)`,
    });
    await expect(failure).rejects.toHaveProperty('detail', expect.stringContaining('user/agent'));
    state.now += 7499;
    await expect(cache.credentialsFor(base)).rejects.toMatchObject({ code: 'denied' });
    expect(calls).toHaveLength(1);
    state.now += 1;
    state.answer = () => undefined;
    expect(await cache.credentialsFor(base)).toHaveProperty('accessKeyId');
  });

  test('a short wait that STS asks for is waited, three tries in all; a long one is handed to the caller', async () => {
    const { cache, calls, state } = await startSts();
    state.answer = () => ({ status: 429, headers: { 'retry-after': '2' }, body: errorXml('Throttling', 'slow down') });
    await expect(cache.credentialsFor(base)).rejects.toMatchObject({ code: 'unavailable', retryAfterMs: 2000 });
    expect(state.sleeps).toEqual([2000, 2000]);
    expect(calls).toHaveLength(3);
    state.now += 2000;
    state.answer = () => ({ status: 503, headers: { 'retry-after': '30' }, body: '' });
    await expect(cache.credentialsFor(base)).rejects.toMatchObject({ retryAfterMs: 30_000 });
    state.now += 29_999;
    await expect(cache.credentialsFor(base)).rejects.toMatchObject({ code: 'unavailable' });
    expect(calls).toHaveLength(4);
  });

  test('an STS that fails once is asked again', async () => {
    const { cache, calls, state } = await startSts();
    state.answer = () => (calls.length === 1 ? { status: 500, body: '' } : undefined);
    expect(await cache.credentialsFor(base)).toHaveProperty('accessKeyId');
    expect(state.sleeps).toEqual([100]);
  });

  test('nobody at the address is unavailable, and the keys of the agent refused are a fault of the agent', async () => {
    const { state, env } = await startSts();
    const options = { keys: new SigningKeys(), now: () => state.now, sleep: () => Promise.resolve() };
    const nobody = { ...env, AWS_ENDPOINT_URL_STS: 'http://127.0.0.1:1' };
    await expect(
      new AssumeRoleCache({ ...options, env: nobody, source: agentCredentials({ env: nobody }) }).credentialsFor(base),
    ).rejects.toMatchObject({ code: 'unavailable' });
    const wrong = { ...env, AWS_SECRET_ACCESS_KEY: 'other' };
    await expect(
      new AssumeRoleCache({ ...options, env: wrong, source: agentCredentials({ env: wrong }) }).credentialsFor(base),
    ).rejects.toMatchObject({ code: 'no_agent_credentials' });
  });

  test.each([
    [
      'ExpiredToken',
      'The security token included in the request is expired',
      'they have expired (ExpiredToken); whoever runs it has to renew them',
    ],
    [
      'InvalidClientTokenId',
      'The security token included in the request is invalid.',
      'AWS does not know them in region eu-west-1, or they are switched off (InvalidClientTokenId); whoever runs it has to give it others',
    ],
    [
      'SignatureDoesNotMatch',
      'The request signature we calculated does not match\n\nThe Canonical String was x-amz-security-token:do-not-tell',
      'their secret access key is wrong (SignatureDoesNotMatch); whoever runs it has to correct it',
    ],
    [
      'SignatureDoesNotMatch',
      'Signature expired: 20260601T000000Z is now earlier than 20260601T001000Z',
      'the clock of its machine is wrong (SignatureDoesNotMatch); whoever runs it has to set it',
    ],
  ])(
    '%s: who asks is told, and so is whoever runs the agent, until STS takes the keys; who has a session goes on',
    async (code, words, said) => {
      const { cache, state, source } = await startSts();
      const kept = await cache.credentialsFor(base);
      state.answer = () => ({ status: 403, body: errorXml(code, words) });
      const bob = { ...base, user: 'bob', sessionName: 'bob' };
      const sentence = `STS refuses the AWS credentials of the agent: ${said}`;
      const error: unknown = await cache.credentialsFor(bob).catch((refused: unknown) => refused);
      expect(error).toMatchObject({ code: 'no_agent_credentials', message: sentence, detail: expect.not.stringContaining('do-not-tell') });
      expect(source.problem).toBe(`${sentence} (access key …ENT0, environment, which is read when the agent starts)`);
      expect(await cache.credentialsFor(base)).toBe(kept);
      expect(source.problem).toBeDefined();
      state.answer = () => undefined;
      await cache.credentialsFor(bob);
      expect(source.problem).toBeUndefined();
    },
  );

  test('renewal in the background finds keys that are refused, says nothing of its own, and what was had is used', async () => {
    const { cache, state, source } = await startSts();
    const kept = await cache.credentialsFor(base);
    state.answer = () => ({ status: 403, body: errorXml('ExpiredToken', 'The security token included in the request is expired') });
    state.now += 50 * minute;
    expect(await cache.credentialsFor(base)).toBe(kept);
    await vi.waitFor(() => expect(source.problem).toMatch(/they have expired/));
    expect(state.warnings).toEqual([]);
  });

  // Its keys were taken for the agent's own, and the dead session stayed in the cache for the rest of its hour.
  test('a first role whose session STS ends early is no fault of the agent’s own keys, and is assumed anew', async () => {
    const { cache, calls, state, source } = await startSts();
    const chained = { ...base, assumeRoleArn: 'arn:aws:iam::123456789012:role/Gate' };
    await cache.credentialsFor(chained);
    state.answer = ({ accessKeyId }) =>
      accessKeyId.startsWith('ASIA') ? { status: 403, body: errorXml('ExpiredToken', 'expired') } : undefined;
    const bob = { ...chained, user: 'bob', sessionName: 'bob' };
    await expect(cache.credentialsFor(bob)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('role/Gate early; try again'),
    });
    expect(source.problem).toBeUndefined();
    state.answer = () => undefined;
    state.now += 500;
    await cache.credentialsFor(bob);
    expect(calls.slice(-2).map(({ accessKeyId }) => accessKeyId)).toEqual([agent.accessKeyId, expect.stringMatching(/^ASIA/)]);
  });

  const rich = { ...base, tags: { a: 'b' }, sourceIdentity: 'alice' };
  test('a role that refuses tags is assumed without, with one warning, and the next time only the tags are left out', async () => {
    const { cache, calls, state } = await startSts();
    state.answer = ({ form }) => (form.has('Tags.member.1.Key') ? denied('sts:TagSession') : undefined);
    await cache.credentialsFor(rich);
    await cache.credentialsFor({ ...rich, user: 'bob', sessionName: 'bob', sourceIdentity: 'bob' });
    expect(calls.map(({ form }) => [form.has('Tags.member.1.Key'), form.get('SourceIdentity')])).toEqual([
      [true, 'alice'],
      [false, null],
      [false, 'bob'],
    ]);
    expect(state.warnings.filter((text) => text.includes('trust policy'))).toHaveLength(1);
  });

  test('a role that refuses both is found out without more than one more call for a request', async () => {
    const { cache, calls, state } = await startSts();
    state.answer = ({ form }) =>
      form.has('Tags.member.1.Key') ? denied('sts:TagSession') : form.has('SourceIdentity') ? denied('sts:SetSourceIdentity') : undefined;
    const counts = [];
    for (const user of ['alice', 'bob', 'carol']) {
      const before = calls.length;
      await cache.credentialsFor({ ...rich, user, sessionName: user });
      counts.push(calls.length - before);
    }
    expect(counts).toEqual([2, 2, 1]);
  });

  test('after half an hour they are tried again', async () => {
    const { cache, calls, state } = await startSts();
    state.answer = ({ form }) => (form.has('Tags.member.1.Key') ? denied('sts:AssumeRole') : undefined);
    await cache.credentialsFor(rich);
    state.now += 30 * minute;
    await cache.credentialsFor({ ...rich, user: 'bob', sessionName: 'bob' });
    expect(calls.map(({ form }) => form.has('Tags.member.1.Key'))).toEqual([true, false, true, false]);
  });

  test('a role that refuses the call without them too is denied after two calls, and nothing is remembered', async () => {
    const { cache, calls, state } = await startSts();
    state.answer = () => denied('sts:AssumeRole');
    await expect(cache.credentialsFor(rich)).rejects.toMatchObject({ code: 'denied' });
    expect(calls).toHaveLength(2);
    expect(state.warnings).toEqual([]);
    state.now += 10_000;
    state.answer = () => undefined;
    await cache.credentialsFor(rich);
    expect(calls[2]?.form.has('Tags.member.1.Key')).toBe(true);
  });
});
