import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PosternError } from '@postern/api/errors';
import { caPin, createAuthority } from '@postern/pki';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { findCluster } from '#find/find-cluster.ts';
import { NobodyListens } from '#find/get-json.ts';
import { webRoots } from '#find/web-roots.ts';
import { TestAuth } from '#testing/test-auth.ts';
import { TestProxy } from '#testing/test-proxy.ts';

let auth: TestAuth;
let proxy: TestProxy;
let good: TestProxy['answer'];
beforeAll(async () => {
  auth = await TestAuth.start();
  proxy = await TestProxy.start({ auth });
  good = proxy.answer;
});
beforeEach(() => {
  proxy.answer = good;
});
afterAll(async () => {
  await proxy.stop();
  await auth.stop();
});

const wrongPin = `sha256:${'0'.repeat(64)}`;
const refusal = async (attempt: Promise<unknown>): Promise<PosternError> => {
  const error = await attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(PosternError);
  return error as PosternError;
};

describe('a cluster is found', () => {
  it('over a web certificate that verifies', async () => {
    expect(await findCluster({ proxy: proxy.address, webRoots: [proxy.webRootPem] })).toEqual({
      cluster: 'test.internal',
      serverVersion: '0.1.0',
      hostCaPems: [auth.host.certificatePem],
      caPins: [caPin(auth.host.certificatePem)],
      publicAddress: 'teleport.example.com:443',
    });
  });

  it('by a pin alone, whatever the web certificate is', async () => {
    const found = await findCluster({ proxy: proxy.address, caPins: [wrongPin, caPin(auth.host.certificatePem)], webRoots: [] });
    expect(found.hostCaPems).toEqual([auth.host.certificatePem]);
  });

  it('with nothing to verify it by where that was asked for, and with a warning', async () => {
    const warnings: string[] = [];
    const found = await findCluster({ proxy: proxy.address, insecure: true, webRoots: [], onWarning: (message) => warnings.push(message) });
    expect(found.cluster).toBe('test.internal');
    expect(warnings).toEqual([expect.stringContaining('is not verified')]);
  });

  it('with a pin and insecure: the pin decides, and there is nothing to warn of', async () => {
    const warnings: string[] = [];
    await findCluster({
      proxy: proxy.address,
      insecure: true,
      caPins: [caPin(auth.host.certificatePem)],
      onWarning: (message) => warnings.push(message),
    });
    expect(warnings).toEqual([]);
    expect((await refusal(findCluster({ proxy: proxy.address, insecure: true, caPins: [wrongPin] }))).message).toContain(
      'the CA pin does not match',
    );
  });

  it('trusting, of several authorities, those that are pinned and no other', async () => {
    const next = await createAuthority({ kind: 'host', cluster: 'test.internal', nowMs: Date.now() });
    const stranger = await createAuthority({ kind: 'host', cluster: 'test.internal', nowMs: Date.now() });
    proxy.answer = {
      status: 200,
      body: JSON.stringify({
        ...(JSON.parse(good.body) as object),
        host_ca_pems: [stranger, auth.host, next].map(({ certificatePem }) => certificatePem),
      }),
    };
    const { hostCaPems } = await findCluster({
      proxy: proxy.address,
      caPins: [caPin(next.certificatePem), caPin(auth.host.certificatePem)],
    });
    expect(hostCaPems).toHaveLength(2);
    expect(hostCaPems).not.toContain(stranger.certificatePem);
  });
});

describe('a cluster is not found', () => {
  it('CL-07 where the web certificate does not verify, and the refusal says what to do', async () => {
    const error = await refusal(findCluster({ proxy: proxy.address, webRoots: [auth.host.certificatePem] }));
    expect(error.code).toBe('cannot_connect');
    expect(error).not.toBeInstanceOf(NobodyListens);
    expect(error.message).toMatch(
      /the web certificate of localhost:\d+ cannot be verified \([A-Z_]+\): give the cluster's pin, which tctl status prints .*SSL_CERT_FILE/,
    );
  });

  it('where the web certificate is for another name', async () => {
    const other = await TestProxy.start({ auth, webName: 'elsewhere.example' });
    try {
      expect((await refusal(findCluster({ proxy: other.address, webRoots: [other.webRootPem] }))).message).toContain(
        'ERR_TLS_CERT_ALTNAME_INVALID',
      );
    } finally {
      await other.stop();
    }
  });

  it('where the pin matches nothing', async () => {
    const error = await refusal(findCluster({ proxy: proxy.address, caPins: [wrongPin] }));
    expect(error).toMatchObject({ code: 'cannot_connect', message: expect.stringContaining('the CA pin does not match') });
  });

  it('with a pin that is none, before anybody is asked', async () => {
    const before = proxy.requests.length;
    expect((await refusal(findCluster({ proxy: proxy.address, caPins: ['sha256:abcd'] }))).code).toBe('bad_request');
    expect(proxy.requests).toHaveLength(before);
  });

  it.each([
    ['a page that is no JSON', { status: 200, body: '<html>' }, 'does not answer in JSON'],
    ['an error', { status: 500, body: '{}' }, 'answers 500'],
    ['a redirect', { status: 302, body: '' }, 'answers 302'],
    ['a body without end', { status: 200, body: `"${'x'.repeat(300_000)}"` }, 'answers with more than'],
    ['null', { status: 200, body: 'null' }, 'without a cluster name'],
    ['no authority', { status: 200, body: '{"cluster_name":"test.internal","server_version":"1","host_ca_pems":[]}' }, 'without a Host CA'],
    [
      'a hundred authorities',
      {
        status: 200,
        body: JSON.stringify({ cluster_name: 'x', server_version: '1', host_ca_pems: Array.from({ length: 100 }, () => 'x') }),
      },
      'without a Host CA',
    ],
    [
      'an authority that is none',
      { status: 200, body: '{"cluster_name":"test.internal","server_version":"1","host_ca_pems":["x"]}' },
      'cannot be read',
    ],
  ])('at a server that answers with %s', async (_what, answer, expected) => {
    proxy.answer = answer;
    expect((await refusal(findCluster({ proxy: proxy.address, insecure: true }))).message).toContain(expected);
  });

  it.each(['user', 'host'] as const)('where the %s authority of another name is shown', async (kind) => {
    const shown = await createAuthority({ kind, cluster: kind === 'user' ? 'test.internal' : 'other.internal', nowMs: Date.now() });
    proxy.answer = { status: 200, body: JSON.stringify({ ...(JSON.parse(good.body) as object), host_ca_pems: [shown.certificatePem] }) };
    expect((await refusal(findCluster({ proxy: proxy.address, caPins: [caPin(shown.certificatePem)] }))).message).toContain(
      `shows the ${kind} authority`,
    );
  });

  it('where somebody listens who hangs up, which is not said to be nobody', async () => {
    const rude = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await new Promise((resolve) => rude.once('listening', resolve));
    const address = rude.address();
    const port = typeof address === 'object' ? address?.port : 0;
    try {
      const error = await refusal(findCluster({ proxy: `127.0.0.1:${port}`, insecure: true }));
      expect(error.code).toBe('cannot_connect');
      expect(error).not.toBeInstanceOf(NobodyListens);
    } finally {
      rude.close();
    }
  });

  it('where what answers does not speak TLS', async () => {
    const plain = createServer((socket) => void socket.on('error', () => undefined).end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    plain.listen(0, '127.0.0.1');
    await new Promise((resolve) => plain.once('listening', resolve));
    const address = plain.address();
    const port = typeof address === 'object' ? address?.port : 0;
    try {
      const error = await refusal(findCluster({ proxy: `127.0.0.1:${port}`, insecure: true }));
      expect(error.message).toBe(`cannot connect to 127.0.0.1:${port}: what answers there does not speak TLS (EPROTO): is the port right?`);
    } finally {
      plain.close();
    }
  });

  it('where nobody listens', async () => {
    const gone = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => gone.once('listening', resolve));
    const address = gone.address();
    await new Promise((resolve) => gone.close(resolve));
    const port = typeof address === 'object' ? address?.port : 0;
    const error = await refusal(findCluster({ proxy: `127.0.0.1:${port}`, insecure: true }));
    expect(error.message).toBe(
      `cannot connect to 127.0.0.1:${port}: nothing listens there (ECONNREFUSED): is the address right, and the proxy running?`,
    );
    expect(error).toBeInstanceOf(NobodyListens);
  });

  it.each(['', 'https://proxy:443', 'proxy:443/path', 'user@proxy', 'proxy:99999', 'a b', '[::1', 'proxy#'])(
    'at %j, which is no address',
    async (address) => {
      expect((await refusal(findCluster({ proxy: address }))).code).toBe('bad_request');
    },
  );
});

describe('the roots of web certificates', () => {
  it('are those of the system and Node, and of the file that SSL_CERT_FILE names', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'roots-'));
    try {
      const file = join(dir, 'roots.pem');
      writeFileSync(file, `# ours\n${proxy.webRootPem}`);
      const roots = webRoots({ SSL_CERT_FILE: file });
      expect(roots.length).toBeGreaterThan(10);
      expect((await findCluster({ proxy: proxy.address, webRoots: roots })).cluster).toBe('test.internal');
      expect(webRoots({}).length).toBe(roots.length - 1);
      expect(() => webRoots({ SSL_CERT_FILE: join(dir, 'nowhere') })).toThrow('cannot be read');
      writeFileSync(file, 'nothing');
      expect(() => webRoots({ SSL_CERT_FILE: file })).toThrow('holds no certificate');
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
