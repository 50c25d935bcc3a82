import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { agentCredentials } from '#credentials/agent-credentials.ts';
import { agentRegion, dialUrl } from '#credentials/aws-env.ts';
import type { Credentials } from '#credentials/credentials.ts';
import type { Provider } from '#credentials/provider-chain.ts';

const folder = mkdtempSync(join(tmpdir(), 'postern-aws-'));
const credentialsFile = join(folder, 'credentials');
const configFile = join(folder, 'config');
writeFileSync(
  credentialsFile,
  '[default]\naws_access_key_id = AKIADEFAULTDEFAULT00\naws_secret_access_key = s1\n[other]\naws_access_key_id = AKIAOTHEROTHEROTHER0\naws_secret_access_key = s2\n',
);
writeFileSync(configFile, '[default]\nregion = eu-north-1\n\n[profile other]\nregion=eu-south-1\ns3 =\n  region = nested\n');
const files = { AWS_SHARED_CREDENTIALS_FILE: credentialsFile, AWS_CONFIG_FILE: configFile, AWS_EC2_METADATA_DISABLED: 'true' };
const noFiles = { AWS_SHARED_CREDENTIALS_FILE: join(folder, 'none'), AWS_CONFIG_FILE: join(folder, 'none') };
const keys = { AWS_ACCESS_KEY_ID: 'AKIAENVENVENVENVENV0', AWS_SECRET_ACCESS_KEY: 's0' };

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
  vi.unstubAllEnvs();
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  stops.push(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return `http://127.0.0.1:${port}`;
}

describe('where the agent finds its credentials', () => {
  test('keys in the environment win, even when a profile is named', async () => {
    const source = agentCredentials({ env: { ...files, ...keys, AWS_PROFILE: 'other', AWS_SESSION_TOKEN: 't' } });
    expect(await source.current()).toEqual({ accessKeyId: 'AKIAENVENVENVENVENV0', secretAccessKey: 's0', sessionToken: 't' });
    expect(source.source).toBe('environment');
  });

  test('the shared files come next, with the profile that the environment names', async () => {
    expect(await agentCredentials({ env: files }).current()).toMatchObject({ accessKeyId: 'AKIADEFAULTDEFAULT00' });
    const source = agentCredentials({ env: { ...files, AWS_PROFILE: 'other' } });
    expect(await source.current()).toMatchObject({ accessKeyId: 'AKIAOTHEROTHEROTHER0' });
    expect(source.source).toBe('shared files');
  });

  test('the shared configuration file counts as much as the credentials file: keys of its own, or a program that gives them', async () => {
    const config = join(folder, 'config-with-keys');
    const answer = JSON.stringify({ Version: 1, AccessKeyId: 'AKIAPROCESSPROCESS00', SecretAccessKey: 's4' });
    const program = join(folder, 'answer.json');
    writeFileSync(program, answer);
    writeFileSync(
      config,
      `[profile direct]\naws_access_key_id = AKIACONFIGCONFIGCON0\naws_secret_access_key = s3\n[profile program]\ncredential_process = cat ${program}\n`,
    );
    const env = { ...files, AWS_SHARED_CREDENTIALS_FILE: join(folder, 'none'), AWS_CONFIG_FILE: config };
    for (const [profile, accessKeyId] of [
      ['direct', 'AKIACONFIGCONFIGCON0'],
      ['program', 'AKIAPROCESSPROCESS00'],
    ] as const) {
      const source = agentCredentials({ env: { ...env, AWS_PROFILE: profile } });
      expect(await source.current()).toMatchObject({ accessKeyId });
      expect(source.source).toBe('shared files');
    }
  });

  test('a web identity token (IRSA) is exchanged at STS, before a container is asked', async () => {
    const forms: URLSearchParams[] = [];
    const url = await serve((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        forms.push(new URLSearchParams(Buffer.concat(chunks).toString('utf8')));
        const expiration = new Date(Date.now() + 3_600_000).toISOString();
        response.setHeader('content-type', 'text/xml');
        response.end(
          '<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials>' +
            `<AccessKeyId>ASIAWEBIDENTITY00000</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>${expiration}</Expiration>` +
            '</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>',
        );
      });
    });
    // the SDK's client of STS reads its endpoint from the process alone
    vi.stubEnv('AWS_ENDPOINT_URL_STS', url);
    const tokenFile = join(folder, 'web-identity-token');
    writeFileSync(tokenFile, 'header.payload.signature');
    const source = agentCredentials({
      env: {
        ...noFiles,
        AWS_EC2_METADATA_DISABLED: 'true',
        AWS_REGION: 'eu-west-1',
        AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile,
        AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/agent',
        AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/container`,
      },
    });
    expect(await source.current()).toMatchObject({ accessKeyId: 'ASIAWEBIDENTITY00000', sessionToken: 't' });
    expect(source.source).toBe('web identity token');
    expect(forms.map((form) => Object.fromEntries(form))).toEqual([
      expect.objectContaining({
        Action: 'AssumeRoleWithWebIdentity',
        RoleArn: 'arn:aws:iam::123456789012:role/agent',
        RoleSessionName: 'postern-agent',
        WebIdentityToken: 'header.payload.signature',
      }),
    ]);
  });

  test('a container is asked with its token', async () => {
    const expiration = new Date(Date.now() + 3_600_000).toISOString();
    const url = await serve((request, response) => {
      response.statusCode = request.headers.authorization === 'pod-token' ? 200 : 403;
      response.end(JSON.stringify({ AccessKeyId: 'ASIACONTAINER0000000', SecretAccessKey: 's', Token: 't', Expiration: expiration }));
    });
    const source = agentCredentials({
      env: {
        ...noFiles,
        AWS_EC2_METADATA_DISABLED: 'true',
        AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/x`,
        AWS_CONTAINER_AUTHORIZATION_TOKEN: 'pod-token',
      },
    });
    expect(await source.current()).toMatchObject({
      accessKeyId: 'ASIACONTAINER0000000',
      sessionToken: 't',
      expiresAtMs: Date.parse(expiration),
    });
    expect(source.source).toBe('container');
  });

  test('instance metadata is the last, and one failure of it is got over', async () => {
    let failures = 1;
    const url = await serve((request, response) => {
      if (request.url === '/latest/api/token') response.end('imds-token');
      else if (failures > 0) {
        failures -= 1;
        response.statusCode = 500;
        response.end();
      } else if (request.url?.endsWith('/security-credentials/') === true) response.end('agent-role');
      else {
        const Expiration = new Date(Date.now() + 3_600_000).toISOString();
        response.end(
          JSON.stringify({ Code: 'Success', AccessKeyId: 'ASIAINSTANCE00000000', SecretAccessKey: 's', Token: 't', Expiration }),
        );
      }
    });
    // the SDK's provider reads its endpoint from the process alone
    vi.stubEnv('AWS_EC2_METADATA_SERVICE_ENDPOINT', url);
    const source = agentCredentials({ env: noFiles });
    expect(await source.current()).toMatchObject({ accessKeyId: 'ASIAINSTANCE00000000' });
    expect(source.source).toBe('instance metadata');
  });

  test('where there are none the refusal says so, and names no secret', async () => {
    const source = agentCredentials({ env: { ...noFiles, AWS_EC2_METADATA_DISABLED: 'true' } });
    await expect(source.current()).rejects.toMatchObject({
      code: 'no_agent_credentials',
      detail: expect.stringContaining('shared files: '),
    });
    expect(source.generation).toBe(0);
  });

  // The SDK's own sentences stood in ours as they were: "…credentials file(s).; instance metadata: Error response…".
  test('where there are none an administrator reads one sentence: the next step, and what each place said', async () => {
    const url = await serve((_request, response) => {
      response.statusCode = 404;
      response.end();
    });
    vi.stubEnv('AWS_EC2_METADATA_SERVICE_ENDPOINT', url);
    const source = agentCredentials({ env: noFiles });
    await expect(source.current()).rejects.toThrow('the agent has no AWS credentials');
    expect(source.problem).toBe(
      'the agent has no AWS credentials: set them in its environment, files or instance role (shared files: could not resolve credentials ' +
        'using profile: [default] in configuration/credentials files; instance metadata: error response received from instance metadata service)',
    );
  });

  test('a program that fails is said to fail, and its command line, which may hold a secret, is said nowhere', async () => {
    const config = join(folder, 'config-with-program');
    writeFileSync(config, '[default]\ncredential_process = false --token do-not-tell\n');
    const source = agentCredentials({ env: { ...files, AWS_SHARED_CREDENTIALS_FILE: join(folder, 'none'), AWS_CONFIG_FILE: config } });
    await expect(source.current()).rejects.toHaveProperty('detail', expect.not.stringContaining('do-not-tell'));
    expect(source.problem).toContain('(shared files: the credential_process of the profile failed)');
  });
});

const minute = 60_000;

function scripted() {
  const state = { now: 1_000_000, calls: 0, next: (): Credentials | Error => new Error('away') };
  const provider: Provider = {
    name: 'instance metadata',
    provide: () => {
      state.calls += 1;
      const next = state.next();
      return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
    },
  };
  const source = agentCredentials({ env: {}, now: () => state.now, providers: [provider] });
  const temporary = (n: number, lifeMs = 60 * minute): Credentials => ({
    accessKeyId: `ASIA${n}`,
    secretAccessKey: 's',
    sessionToken: 't',
    expiresAtMs: state.now + lifeMs,
  });
  return { state, source, temporary };
}

describe('how the agent keeps its credentials', () => {
  test('many who ask at once share one look', async () => {
    const { state, source, temporary } = scripted();
    const found = temporary(1);
    state.next = () => found;
    const answers = await Promise.all(Array.from({ length: 50 }, () => source.current()));
    expect(new Set(answers)).toEqual(new Set([found]));
    expect(state.calls).toBe(1);
  });

  test('they are renewed when less than five minutes are left, while the old ones serve, and stay the same identity', async () => {
    const { state, source, temporary } = scripted();
    const first = temporary(1);
    state.next = () => first;
    await source.current();
    state.now += 55 * minute - 1;
    await source.current();
    expect(state.calls).toBe(1);
    state.now += 1;
    const second = temporary(2);
    state.next = () => second;
    expect(await source.current()).toBe(first);
    await vi.waitFor(async () => expect(await source.current()).toBe(second));
    expect(state.calls).toBe(2);
    expect(source.generation).toBe(1);
  });

  test('a source that is away is ridden out while the credentials live, and asked again two seconds later', async () => {
    const { state, source, temporary } = scripted();
    const first = temporary(1);
    state.next = () => first;
    await source.current();
    state.next = () => new Error('away');
    state.now += 58 * minute;
    expect(await source.current()).toBe(first);
    await vi.waitFor(() => expect(state.calls).toBe(2));
    state.now += 2 * minute;
    await expect(source.current()).rejects.toMatchObject({ code: 'no_agent_credentials' });
    const second = temporary(2);
    state.next = () => second;
    state.now += 2000;
    await vi.waitFor(async () => expect(await source.current()).toBe(second));
  });

  test('a source that was away at the start is not hammered, and found when it comes', async () => {
    const { state, source, temporary } = scripted();
    await expect(source.current()).rejects.toThrow('no AWS credentials');
    await expect(source.current()).rejects.toThrow('no AWS credentials');
    expect(state.calls).toBe(1);
    const found = temporary(1);
    state.next = () => found;
    state.now += 2000;
    expect(await source.current()).toBe(found);
  });

  test('what the last look met is said in words, with the end of what is still used, and no longer once it found some', async () => {
    const { state, source, temporary } = scripted();
    expect(source.problem).toBeUndefined();
    await source.current().catch(() => undefined);
    expect(source.problem).toBe(
      'the agent has no AWS credentials: set them in its environment, files or instance role (instance metadata: away)',
    );
    const first = temporary(1);
    state.next = () => first;
    state.now += 2000;
    await source.current();
    expect(source.problem).toBeUndefined();
    state.next = () => new Error('away');
    state.now += 56 * minute;
    expect(await source.current()).toBe(first);
    await vi.waitFor(() =>
      expect(source.problem).toBe(
        `the agent’s AWS credentials cannot be renewed and the old ones are used until ${new Date(first.expiresAtMs ?? 0).toISOString()}: instance metadata: away`,
      ),
    );
  });

  test('expired credentials are not accepted; other long-term keys are another identity', async () => {
    const { state, source, temporary } = scripted();
    state.next = () => temporary(1, 0);
    await expect(source.current()).rejects.toThrow('no AWS credentials');
    state.now += 2000;
    state.next = () => ({ accessKeyId: 'AKIA1', secretAccessKey: 's' });
    await source.current();
    expect(source.generation).toBe(1);
    state.now += 5 * minute;
    state.next = () => ({ accessKeyId: 'AKIA2', secretAccessKey: 's' });
    await source.current();
    await vi.waitFor(() => expect(source.generation).toBe(2));
  });

  // /readyz went on saying ok where STS took the keys no more: only a look that found none was a problem.
  test('keys that STS refused are a problem until others are found, which the next request already waits for', async () => {
    const { state, source, temporary } = scripted();
    const first = { accessKeyId: 'AKIAFIRSTFIRSTFIRST0', secretAccessKey: 'kept to itself', sessionToken: 'and this' };
    state.next = () => first;
    await source.current();
    source.refused(first, 'STS refuses them');
    expect(source.problem).toBe('STS refuses them (access key …RST0, instance metadata)');
    state.now += 2000;
    state.next = () => ({ ...first });
    expect(await source.current()).toBe(first);
    expect(source.problem).toBe('STS refuses them (access key …RST0, instance metadata)');
    const second = temporary(2);
    state.next = () => second;
    state.now += 2000;
    expect(await source.current()).toBe(second);
    expect(source.problem).toBeUndefined();
    source.refused(first, 'an answer that comes late');
    expect(source.problem).toBeUndefined();
  });

  test('the same keys with another end are refused still; once STS takes them they are no problem', async () => {
    const { state, source, temporary } = scripted();
    const first = temporary(1);
    state.next = () => first;
    await source.current();
    source.refused(first, 'STS refuses them');
    state.now += 2000;
    state.next = () => temporary(1);
    const again = await source.current();
    expect(source.problem).toMatch(/^STS refuses them/);
    source.taken(again);
    expect(source.problem).toBeUndefined();
    expect(source.generation).toBe(1);
  });

  test('refused keys are looked for every two seconds at most, and while the source is away they are given out as before', async () => {
    const { state, source } = scripted();
    const keys = { accessKeyId: 'AKIA1', secretAccessKey: 's' };
    state.next = () => keys;
    await source.current();
    state.next = () => new Error('away');
    for (let i = 0; i < 20; i += 1) {
      source.refused(keys, 'STS refuses them');
      expect(await source.current()).toBe(keys);
      state.now += 200;
    }
    expect(state.calls).toBe(2);
    expect(source.problem).toMatch(/^STS refuses them/);
  });
});

describe('the environment', () => {
  test('the region is AWS_REGION, then AWS_DEFAULT_REGION, then that of the profile', async () => {
    expect(await agentRegion({ ...files, AWS_REGION: 'us-east-1', AWS_DEFAULT_REGION: 'us-east-2' })).toBe('us-east-1');
    expect(await agentRegion({ ...files, AWS_DEFAULT_REGION: 'us-east-2' })).toBe('us-east-2');
    expect(await agentRegion(files)).toBe('eu-north-1');
    expect(await agentRegion({ ...files, AWS_PROFILE: 'other' })).toBe('eu-south-1');
    expect(await agentRegion({ ...files, AWS_PROFILE: 'none' })).toBeUndefined();
    expect(await agentRegion(noFiles)).toBeUndefined();
  });

  test('an endpoint setting changes where to dial: the one of the service first', () => {
    const host = 'sts.eu-west-1.amazonaws.com';
    expect(dialUrl({ env: {}, service: 'STS', host }).href).toBe(`https://${host}/`);
    expect(dialUrl({ env: { AWS_ENDPOINT_URL: 'http://127.0.0.1:1' }, service: 'STS', host }).href).toBe('http://127.0.0.1:1/');
    const both = { AWS_ENDPOINT_URL: 'http://127.0.0.1:1', AWS_ENDPOINT_URL_STS: 'http://127.0.0.1:2' };
    expect(dialUrl({ env: both, service: 'STS', host }).href).toBe('http://127.0.0.1:2/');
    expect(dialUrl({ env: both, service: 'DYNAMODB', host }).href).toBe('http://127.0.0.1:1/');
    expect(dialUrl({ env: { ...both, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true' }, service: 'STS', host }).hostname).toBe(host);
  });

  test.each(['127.0.0.1:4566', 'ftp://127.0.0.1', 'http://user:pw@127.0.0.1', 'http://127.0.0.1/?a=b'])('%s is no endpoint', (text) => {
    expect(() => dialUrl({ env: { AWS_ENDPOINT_URL: text }, service: 'STS', host: 'x' })).toThrow('AWS_ENDPOINT_URL is not');
  });
});
