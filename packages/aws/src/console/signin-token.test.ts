import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { signInUrl } from '#console/sign-in-url.ts';
import { getSigninToken } from '#console/signin-token.ts';
import { nodeHttpSend } from '#credentials/http-send.ts';
import type { PartitionId } from '#endpoints/partitions.ts';

const credentials = { accessKeyId: 'ASIAIOSFODNN7EXAMPLE', secretAccessKey: 'secret/+=key', sessionToken: 'token/+==&?' };
const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

type Asked = {
  readonly path: string;
  readonly host: string | undefined;
  readonly query: URLSearchParams;
  readonly method: string | undefined;
};

/** A sign-in service over HTTP that says what it was asked. */
async function service(answer: (asked: Asked, request: IncomingMessage) => { readonly status: number; readonly body: string }) {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://x');
    const one = { path: url.pathname, host: request.headers.host, query: url.searchParams, method: request.method };
    asked.push(one);
    const { status, body } = answer(one, request);
    response.writeHead(status).end(body);
  });
  stops.push(() => server.close());
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const env = { AWS_ENDPOINT_URL_SIGNIN: `http://127.0.0.1:${port}` };
  const token = (sessionSeconds?: number, partition: PartitionId = 'aws') =>
    getSigninToken({
      partition,
      credentials,
      session: { assumeRoleSeconds: 3600, ...(sessionSeconds !== undefined && { sessionSeconds }) },
      env,
      send: nodeHttpSend(),
    });
  return { asked, token };
}

describe('getSigninToken', () => {
  test('asks the sign-in service by GET for the credentials, whatever is dialled', async () => {
    const { asked, token } = await service(() => ({ status: 200, body: '{"SigninToken":"abc-DEF_1"}' }));
    expect(await token(7200)).toEqual({ token: 'abc-DEF_1', sessionSeconds: 7200 });
    const [one] = asked;
    expect(one).toMatchObject({ path: '/federation', host: 'signin.aws.amazon.com', method: 'GET' });
    expect(one?.query.get('Action')).toBe('getSigninToken');
    expect(one?.query.get('SessionDuration')).toBe('7200');
    expect(JSON.parse(one?.query.get('Session') ?? '')).toEqual({
      sessionId: credentials.accessKeyId,
      sessionKey: credentials.secretAccessKey,
      sessionToken: credentials.sessionToken,
    });
  });

  test.each([
    ['aws-cn', 'signin.amazonaws.cn'],
    ['aws-us-gov', 'signin.amazonaws-us-gov.com'],
    ['aws-eusc', 'eusc-de-east-1.signin.amazonaws-eusc.eu'],
  ] as const)('%s is asked at %s, and without a duration none is said', async (partition, host) => {
    const { asked, token } = await service(() => ({ status: 200, body: '{"SigninToken":"t"}' }));
    expect(await token(undefined, partition)).toEqual({ token: 't', sessionSeconds: 3600 });
    expect(asked[0]?.host).toBe(host);
    expect(asked[0]?.query.has('SessionDuration')).toBe(false);
  });

  test('a 400 is asked once more without SessionDuration, and then the session is the role’s', async () => {
    const { asked, token } = await service(({ query }) =>
      query.has('SessionDuration') ? { status: 400, body: 'Bad Request' } : { status: 200, body: '{"SigninToken":"t"}' },
    );
    expect(await token(7200)).toEqual({ token: 't', sessionSeconds: 3600 });
    expect(asked).toHaveLength(2);
  });

  test('a second 400, or a first without a duration, is a refusal', async () => {
    const { asked, token } = await service(() => ({ status: 400, body: 'Bad Request' }));
    await expect(token(7200)).rejects.toMatchObject({ code: 'denied' });
    await expect(token()).rejects.toMatchObject({ code: 'denied' });
    expect(asked).toHaveLength(3);
  });

  test.each([
    ['an outage', { status: 503, body: '' }, 'unavailable'],
    ['too much asked', { status: 429, body: '' }, 'unavailable'],
    ['a redirect', { status: 302, body: '' }, 'denied'],
    ['a page', { status: 200, body: '<html>' }, 'invalid'],
    ['no token', { status: 200, body: '{}' }, 'invalid'],
    ['a token with a line break', { status: 200, body: '{"SigninToken":"a\\nb"}' }, 'invalid'],
    ['null', { status: 200, body: 'null' }, 'invalid'],
  ])('%s is an error of its own', async (_, answer, code) => {
    const { token } = await service(() => answer);
    await expect(token()).rejects.toMatchObject({ name: 'CredentialError', code });
  });

  test('no error holds the address or a key, neither what the network says nor what the service repeats', async () => {
    const { token } = await service(({ query }) => ({ status: 403, body: query.get('Session') ?? '' }));
    const refused: unknown = await token().catch((error: unknown) => error);
    const url = 'http://127.0.0.1:9/?Session=secret';
    const unreachable: unknown = await getSigninToken({
      partition: 'aws',
      credentials,
      session: { assumeRoleSeconds: 3600 },
      env: {},
      send: ({ url: dialled }) => Promise.reject(new Error(`connect ECONNREFUSED ${url} ${dialled.href}`)),
    }).catch((error: unknown) => error);
    for (const error of [refused, unreachable]) {
      expect(error).toBeInstanceOf(Error);
      const text = inspect(error, { depth: 10, showHidden: true });
      for (const secret of ['secret', 'token/', 'Session=', encodeURIComponent(credentials.sessionToken)])
        expect(text).not.toContain(secret);
    }
  });

  test('a partition without a console, and credentials without a session token, are refused before anything is sent', async () => {
    const { asked, token } = await service(() => ({ status: 200, body: '{"SigninToken":"t"}' }));
    await expect(token(undefined, 'aws-iso')).rejects.toMatchObject({ code: 'invalid' });
    expect(asked).toHaveLength(0);
    const { accessKeyId, secretAccessKey } = credentials;
    const lasting = { accessKeyId, secretAccessKey };
    const send = () => Promise.reject(new Error('sent'));
    await expect(
      getSigninToken({ partition: 'aws', credentials: lasting, session: { assumeRoleSeconds: 3600 }, env: {}, send }),
    ).rejects.toMatchObject({ code: 'invalid' });
  });
});

describe('signInUrl', () => {
  test('is the login address of the partition, with everything in it encoded', () => {
    const issuer = 'https://proxy.example.com/web/launch/aws?role=a&b';
    const destination = 'https://console.aws.amazon.com/iamv2/home?region=us-east-1#/roles';
    const url = new URL(signInUrl({ partition: 'aws', token: 'a+b&c=d', destination, issuer }));
    expect(url.origin + url.pathname).toBe('https://signin.aws.amazon.com/federation');
    expect(Object.fromEntries(url.searchParams)).toEqual({
      Action: 'login',
      Issuer: issuer,
      Destination: destination,
      SigninToken: 'a+b&c=d',
    });
    expect(url.hash).toBe('');
  });

  test('of a partition without a console there is none', () => {
    expect(() => signInUrl({ partition: 'aws-iso', token: 't', destination: 'd', issuer: 'i' })).toThrow(RangeError);
  });
});
