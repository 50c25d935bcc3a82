import { Identity_Kind, implement, PosternError, services, type SignInToConsoleRequest } from '@postern/api';
import { serverTlsOptions, verifyPeer } from '@postern/pki';
import { createGrpcTlsServer, peerOf } from '@postern/tunnel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunningProxy } from '#index.ts';
import { addressOf, ready } from '#testing/session-client.ts';
import { TestCluster } from '#testing/test-cluster.ts';
import { WebClient } from '#testing/web-client.ts';

const reader = 'arn:aws:iam::123456789012:role/Reader';
const writer = 'arn:aws:iam::123456789012:role/Writer';
const PASSWORD = 'correct horse battery staple';
const CONSOLE = 'https://signin.aws.amazon.com/federation?Action=login&SigninToken=secret';

let cluster: TestCluster;
let proxy: RunningProxy;
beforeEach(async () => {
  cluster = await TestCluster.start();
  cluster.people.passwords.set('alice', PASSWORD);
  proxy = await cluster.proxy({ publicAddress: 'proxy.example:443' });
  await ready(proxy);
});
afterEach(() => cluster.stop());

const browser = (host = 'proxy.example') => new WebClient(proxy, host);
async function signedIn(): Promise<WebClient> {
  const alice = browser();
  expect(await alice.signIn('alice', PASSWORD)).toMatchObject({ status: 303, location: '/web' });
  return alice;
}

/** An application agent, as far as it signs people in to the console. */
async function consoleAgent(answer: () => { readonly url: string } | PosternError = () => ({ url: CONSOLE })) {
  const identity = await cluster.identity(Identity_Kind.APP_AGENT);
  const asked: (SignInToConsoleRequest & { readonly who: string })[] = [];
  const refuse = () => Promise.reject(new PosternError('unimplemented', 'not asked here'));
  const served = implement(
    services.agentSession,
    {
      connect: (call) => call.refuse({ code: 12, details: 'not asked here' } as never),
      describe: refuse,
      async signInToConsole(request, { caller }) {
        const route = caller.kind === 'identified' ? caller.identity.route : undefined;
        asked.push({
          ...request,
          who: `${caller.kind === 'identified' ? caller.identity.name : ''} ${route?.resourceName} ${route?.principal} ${caller.address}`,
        });
        const said = answer();
        if (said instanceof PosternError) throw said;
        return { url: said.url, urlValidUntilMs: 0, sessionSeconds: 3600 };
      },
    },
    {
      identify: (call) => {
        const { certificateDer = Buffer.alloc(0), remoteAddress } = peerOf(call);
        const peer = verifyPeer({
          certificateDer,
          cluster: 'test-cluster',
          kinds: [Identity_Kind.SESSION],
          hostCaPems: [],
          userCaPems: [cluster.userCaPem],
          nowMs: Date.now(),
        });
        return { kind: 'identified', address: remoteAddress, ...peer };
      },
      nowMs: Date.now,
      onUnexpected: () => undefined,
    },
  );
  const server = createGrpcTlsServer({
    tls: serverTlsOptions({ identity, clientCas: [cluster.userCaPem], requestCert: true, rejectUnauthorized: true }),
    services: [served],
  });
  await cluster.agent([addressOf(proxy)], {
    identity,
    onConnection: (stream, { clientAddress }) => server.acceptSocket(stream, { remoteAddress: clientAddress }),
  });
  await expect.poll(() => cluster.logs.some((line) => line.includes(identity.hostId)), { timeout: 8000 }).toBe(true);
  return { agentId: identity.hostId, asked };
}

describe('signing in with a browser', () => {
  it('goes to auth with the browser’s address, and ends in a cookie that no script reads and no other site is sent with', async () => {
    const alice = browser();
    const answer = await alice.signIn('alice', PASSWORD);
    expect(answer).toMatchObject({ status: 303, location: '/web' });
    const [cookie = ''] = [answer.headers['set-cookie'] ?? []].flat().filter((line) => line.startsWith('__Host-session='));
    for (const attribute of ['Path=/', 'HttpOnly', 'Secure', 'SameSite=Lax']) expect(cookie).toContain(attribute);
    expect(cookie).not.toMatch(/domain/i);
    expect(Buffer.from(alice.cookies.get('__Host-session') ?? '', 'base64url')).toHaveLength(32);
    expect(cluster.people.signIns).toEqual([{ user: 'alice', address: expect.stringMatching(/^127\.0\.0\.1/) }]);
    const page = await alice.get('/web');
    expect(page.body).toContain('Signed in as alice');
    expect(page.headers['cache-control']).toBe('no-store');
    expect(cluster.logs.join('')).not.toContain(PASSWORD);
  });

  it('says in words what is wrong, keeps the name and never the password', async () => {
    const alice = browser();
    const wrong = await alice.signIn('alice', 'wrong <password>');
    expect(wrong.status).toBe(401);
    expect(wrong.body).toContain('Sign-in refused: wrong user name or password');
    expect(wrong.body).toContain('value="alice"');
    expect(wrong.body).not.toContain('wrong &#60;password');
    expect(alice.cookies.has('__Host-session')).toBe(false);
    await cluster.stopAuth();
    const away = await alice.signIn('alice', PASSWORD);
    expect([away.status, away.body.includes('Auth does not answer now')]).toEqual([503, true]);
  });

  it('AP-03 ED-19 takes no form of another site, without a site, without its token or with that of another browser', async () => {
    const form = { user: 'alice', password: PASSWORD, redirect: '/web' };
    for (const origin of [
      'https://evil.example',
      'null',
      'https://proxy.example.evil.example',
      'http://proxy.example',
      'https://aws.proxy.example',
    ])
      expect([origin, (await browser().submit('/web/login', '/web/login', form, { headers: { origin } })).status]).toEqual([origin, 403]);
    const bare = await browser().send('/web/login', { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' } });
    expect(bare.status).toBe(403);
    const mallory = browser();
    const token = /name="_csrf" value="([^"]+)"/.exec((await mallory.get('/web/login')).body)?.[1] ?? '';
    const alice = browser();
    await alice.get('/web/login');
    for (const _csrf of [token, '', 'x']) expect((await alice.send('/web/login', { form: { ...form, _csrf } })).status).toBe(403);
    expect(
      (await alice.send('/web/login', { headers: { origin: 'https://proxy.example', 'content-type': 'text/plain' }, method: 'POST' }))
        .status,
    ).toBe(403);
    expect(cluster.people.signIns).toEqual([]);
    expect(alice.cookies.has('__Host-session')).toBe(false);
  });

  it('ends with sign-out, in this browser alone', async () => {
    const [one, two] = [await signedIn(), await signedIn()];
    const cookie = one.cookies.get('__Host-session') ?? '';
    expect(await one.submit('/web', '/web/logout', {})).toMatchObject({ status: 303, location: '/web/login' });
    expect(one.cookies.has('__Host-session')).toBe(false);
    one.cookies.set('__Host-session', cookie);
    expect((await one.get('/web')).location).toBe('/web/login?redirect=%2Fweb');
    expect((await two.get('/web')).status).toBe(200);
  });

  it('AP-01 AP-04 takes no cookie that was changed, doubled or made up', async () => {
    const alice = await signedIn();
    const cookie = alice.cookies.get('__Host-session') ?? '';
    const changed = `${cookie.startsWith('A') ? 'B' : 'A'}${cookie.slice(1)}`;
    for (const value of [changed, '', cookie.slice(1), `${cookie}; __Host-session=${cookie}`, `${changed}; __Host-session=${cookie}`]) {
      const answer = await browser().get('/web', { headers: { cookie: `__Host-session=${value}` } });
      expect([value, answer.status]).toEqual([value, 303]);
    }
    expect((await alice.get('/web')).status).toBe(200);
  });

  it('AP-12 ends at once where the user is locked, and where auth does not know him any more', async () => {
    const alice = await signedIn();
    cluster.list('lock', [{ kind: 'lock', metadata: { name: 'l' }, spec: { target: { user: 'alice' } } }]);
    await expect.poll(async () => (await alice.get('/web')).status, { timeout: 5000 }).toBe(303);
    cluster.list('lock', []);
    expect((await alice.get('/web')).status).toBe(303);
    const again = await signedIn();
    const cookie = again.cookies.get('__Host-session') ?? '';
    cluster.people.passwords.delete('alice');
    expect((await again.get('/web')).location).toBe('/web/login?redirect=%2Fweb');
    cluster.people.passwords.set('alice', PASSWORD);
    again.cookies.set('__Host-session', cookie);
    expect((await again.get('/web')).status).toBe(303);
  });

  it('ED-17 leads back to a page of this proxy and nowhere else', async () => {
    for (const redirect of [
      'https://evil.example',
      '//evil.example',
      '/\\evil.example',
      '/%2f/evil.example',
      'https:evil.example',
      '/web/x\r\nSet-Cookie: a=b',
    ])
      expect([redirect, (await browser().signIn('alice', PASSWORD, redirect)).location]).toEqual([redirect, '/web']);
    const launch = await browser().signIn('alice', PASSWORD, '/web/launch/aws?role=Reader');
    expect(launch.location).toBe('/web/continue?to=%2Fweb%2Flaunch%2Faws%3Frole%3DReader');
    const onward = await browser().get(launch.location);
    expect(onward.body).toContain('content="0; url=/web/launch/aws?role=Reader"');
    expect((await browser().get('/web/continue?to=//evil.example')).body).toContain('content="0; url=/web"');
  });

  it('ED-17 goes on by itself only for who signed in here, and for a link of another site only when it is clicked', async () => {
    const alice = await signedIn();
    const to = `/web/continue?${new URLSearchParams({ to: `/web/launch/aws?role=${reader}` }).toString()}`;
    for (const site of ['cross-site', 'same-site']) {
      const asked = await alice.get(to, { headers: { 'sec-fetch-site': site } });
      expect(asked.body).not.toContain('http-equiv="refresh"');
      expect(asked.body).toContain('Another site asks');
    }
    for (const site of ['same-origin', 'none'])
      expect((await alice.get(to, { headers: { 'sec-fetch-site': site } })).body).toContain('http-equiv="refresh"');
  });
});

describe('launching the console', () => {
  it('is a redirect that nobody keeps, to the address that the agent gave for this person and this role alone', async () => {
    const { agentId, asked } = await consoleAgent();
    cluster.serveApp({ name: 'aws', roles: [reader, writer], agentIds: [agentId] });
    const alice = await signedIn();
    const destination = 'https://console.aws.amazon.com/s3/home';
    const answer = await alice.get(`/web/launch/aws?${new URLSearchParams({ role: reader, destination }).toString()}`);
    expect([answer.status, answer.location, answer.body]).toEqual([302, CONSOLE, '']);
    expect(answer.headers).toMatchObject({ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' });
    expect(asked).toMatchObject([{ destination, issuer: `https://proxy.example/web/launch/aws?role=${encodeURIComponent(reader)}` }]);
    expect(asked[0]?.who).toMatch(new RegExp(`^alice aws ${reader} 127\\.0\\.0\\.1:\\d+$`));
    expect(cluster.logs.join('')).not.toContain('SigninToken');
  });

  it('leads nowhere but to a sign-in of AWS, whatever an agent that was stolen answers', async () => {
    let url = '';
    const { agentId } = await consoleAgent(() => ({ url }));
    cluster.serveApp({ name: 'aws', roles: [reader], agentIds: [agentId] });
    const alice = await signedIn();
    for (url of ['https://evil.example/federation', 'http://signin.aws.amazon.com/federation', 'javascript:alert(1)', '']) {
      const answer = await alice.get('/web/launch/aws');
      expect([url, answer.status, answer.location]).toEqual([url, 500, '']);
    }
  });

  it('takes the only role, asks where there are several, and says whose decision it is where there is none', async () => {
    const { agentId } = await consoleAgent();
    const alice = await signedIn();
    cluster.serveApp({ name: 'aws', roles: [reader], agentIds: [agentId] });
    expect((await alice.get('/web/launch/aws')).status).toBe(302);
    cluster.serveApp({ name: 'aws', roles: [reader, writer], agentIds: [agentId] });
    const choice = await alice.get('/web/launch/aws?destination=https%3A%2F%2Fconsole.aws.amazon.com%2F');
    expect(choice.status).toBe(200);
    for (const role of [reader, writer]) expect(choice.body).toContain(`role=${encodeURIComponent(role)}`);
    expect(choice.body).toContain('aria-label="Launch aws as Reader, account 123456789012"');
    cluster.serveApp({ name: 'aws', roles: [], agentIds: [agentId] });
    const none = await alice.get('/web/launch/aws');
    expect([none.status, none.body.includes('an administrator grants one')]).toEqual([403, true]);
  });

  it('AP-06 AP-08 is for applications that are served, under roles that auth grants', async () => {
    const { agentId, asked } = await consoleAgent();
    cluster.serveApp({ name: 'aws', roles: [reader], agentIds: [agentId] });
    const alice = await signedIn();
    for (const path of ['evil.com', 'aws.proxy.example', '..%2f..', 'AWS', '__proto__', 'javascript:alert(1)'])
      expect([path, (await alice.get(`/web/launch/${path}`)).status]).toEqual([path, 404]);
    for (const role of [writer, 'arn:aws:iam::999999999999:role/Reader', reader.toLowerCase(), '*']) {
      const answer = await alice.get(`/web/launch/aws?role=${encodeURIComponent(role)}`);
      expect([role, answer.status, answer.location]).toEqual([role, 403, '']);
      expect(answer.body).toContain('No role allows principal');
    }
    expect((await alice.get('/web/launch/aws?role=a&role=b')).status).toBe(400);
    expect(asked).toEqual([]);
  });

  it('asks before it follows a link of another site, and follows one of its own', async () => {
    const { agentId, asked } = await consoleAgent();
    cluster.serveApp({ name: 'aws', roles: [reader], agentIds: [agentId] });
    const alice = await signedIn();
    for (const site of ['cross-site', 'same-site']) {
      const answer = await alice.get('/web/launch/aws', { headers: { 'sec-fetch-site': site } });
      expect([answer.status, answer.body.includes('Another site asks')]).toEqual([200, true]);
    }
    expect(asked).toEqual([]);
    for (const site of ['same-origin', 'none'])
      expect((await alice.get('/web/launch/aws', { headers: { 'sec-fetch-site': site } })).status).toBe(302);
  });

  it('leads to the sign-in page and back where nobody is signed in', async () => {
    const answer = await browser().get('/web/launch/aws?role=Reader');
    expect([answer.status, answer.location]).toEqual([303, '/web/login?redirect=%2Fweb%2Flaunch%2Faws%3Frole%3DReader']);
  });

  it('says what the agent refuses, and where no agent answers', async () => {
    const { agentId } = await consoleAgent(
      () => new PosternError('denied', 'the session has 10 minutes left, and AWS gives none under 15'),
    );
    cluster.serveApp({ name: 'aws', roles: [reader], agentIds: [agentId] });
    cluster.serveApp({ name: 'gone', roles: [reader], agentIds: ['00000000-0000-4000-8000-000000000000'] });
    const alice = await signedIn();
    const refused = await alice.get('/web/launch/aws');
    expect([refused.status, refused.body.includes('The session has 10 minutes left')]).toEqual([403, true]);
    const away = await alice.get('/web/launch/gone');
    expect([away.status, away.body.includes('No agent of this application answers now')]).toEqual([503, true]);
  });

  it('has no application that auth refused, though it lists it to who may read all', async () => {
    cluster.serveApp({ name: 'aws', roles: [reader], agentIds: [] });
    cluster.serveApp({ name: 'unbound', roles: [reader], agentIds: [], refused: 'its token does not bind it' });
    const { body } = await (await signedIn()).get('/web');
    expect(body).toContain('/web/launch/aws');
    expect(body).not.toContain('unbound');
  });

  it('AP-13 shows names and reasons as text', async () => {
    const bad = '<img src=x onerror=alert(1)>';
    cluster.serveApp({ name: 'aws', description: bad, roles: [`arn:aws:iam::123456789012:role/${bad}`], agentIds: [] });
    const alice = await signedIn();
    for (const path of ['/web', `/web/launch/aws?role=${encodeURIComponent(bad)}`, `/web/login?redirect=${encodeURIComponent(bad)}`]) {
      const { body, headers } = await alice.get(path);
      expect(body).not.toContain('<img');
      expect(body.replaceAll(/"[^"]*"/g, '""')).not.toMatch(/<script|<[^>]* on[a-z]+=/);
      expect(String(headers['content-security-policy'])).toMatch(
        /^default-src 'none';style-src 'sha256-[^']+';frame-ancestors 'none';base-uri 'none';form-action 'self'$/,
      );
    }
  });
});

describe('the names that a proxy answers to', () => {
  it('ED-14 are its own and those of applications, the same in TLS and in Host', async () => {
    cluster.serveApp({ name: 'aws', roles: [reader], agentIds: ['a'] });
    cluster.serveApp({ name: 'shop', roles: [reader], agentIds: ['a'] }, { publicAddress: 'console.shop.example' });
    const app = await browser('aws.proxy.example').get('/anything?x=1');
    expect([app.status, app.location]).toEqual([302, 'https://proxy.example/web/launch/aws']);
    for (const name of ['console.shop.example', 'shop.proxy.example'])
      expect((await browser(name).get('/')).location).toBe('https://proxy.example/web/launch/shop');
    for (const [host, serverName] of [
      ['aws.proxy.example', 'proxy.example'],
      ['proxy.example', 'aws.proxy.example'],
      ['evil.example', 'proxy.example'],
      ['evil.example', 'evil.example'],
      ['other.proxy.example', 'other.proxy.example'],
      ['proxy.example:444', 'proxy.example'],
    ] as const) {
      const answer = await browser(host).get('/web', { serverName });
      expect([host, serverName, answer.status, answer.location]).toEqual([host, serverName, 421, '']);
      expect(answer.body).not.toContain('evil');
      expect(answer.body).toContain('proxy.example:443');
    }
    expect((await browser('PROXY.example').get('/web/login')).status).toBe(200);
  });

  it('have a page in words for an address below /web that there is not', async () => {
    const answer = await browser().get('/web/nothing');
    expect([answer.status, answer.body]).toEqual([404, expect.stringMatching(/There is no page at this address\.[^]*href="\/web"/)]);
  });
});
