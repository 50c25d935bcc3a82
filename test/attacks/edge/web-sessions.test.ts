import { Agent, request } from 'node:https';
import { text } from 'node:stream/consumers';
import { Cluster, PASSWORD } from '@postern/test-harness/cluster.ts';
import { dial } from '@postern/test-harness/dial.ts';
import { announceApp, AUTH, hostCasOf, joinHost } from '@postern/test-harness/hosts.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const cannot = lacking('openssl');
const reader = 'arn:aws:iam::123456789012:role/Reader';
const MARKUP = '<img src=x onerror=alert(1)>';

interface Answer {
  readonly status: number;
  readonly location: string;
  readonly cookies: readonly string[];
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}
interface Sent {
  readonly headers?: Readonly<Record<string, string>>;
  readonly form?: Readonly<Record<string, string>>;
  readonly method?: string;
}

/** Browsers against a cluster of real processes: what they are signed in with, and who else may use it. */
describe.skipIf(cannot !== undefined)('web sessions', () => {
  const cluster = new Cluster();
  const origin = () => `https://${cluster.proxy}`;
  const agent = new Agent({ rejectUnauthorized: false, servername: 'localhost' });

  function send(path: string, { headers = {}, form, method }: Sent = {}): Promise<Answer> {
    const body = form === undefined ? undefined : new URLSearchParams(form).toString();
    const typed = body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded', 'content-length': String(body.length) };
    const sent = { host: cluster.proxy, ...typed, ...(body === undefined ? {} : { origin: origin() }), ...headers };
    const options = {
      agent,
      host: '127.0.0.1',
      port: cluster.proxyPort,
      path,
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      headers: sent,
    };
    return new Promise((resolve, reject) => {
      const req = request(options, (res) => {
        const cookies = res.headers['set-cookie'] ?? [];
        resolve(
          text(res).then((page) => ({
            status: res.statusCode ?? 0,
            location: res.headers.location ?? '',
            cookies,
            headers: res.headers,
            body: page,
          })),
        );
      });
      req.on('error', reject).end(body);
    });
  }
  const valueOf = (cookies: readonly string[], name: string) => cookies.find((line) => line.startsWith(`${name}=`))?.split(/[=;]/)[1] ?? '';
  /** The sign-in page, with the two halves of its proof that the form is its own. */
  async function form(): Promise<{ readonly csrf: string; readonly cookie: string }> {
    const page = await send('/web/login');
    return {
      csrf: /name="_csrf" value="([^"]+)"/.exec(page.body)?.[1] ?? '',
      cookie: `__Host-csrf=${valueOf(page.cookies, '__Host-csrf')}`,
    };
  }
  async function signIn(user: string, redirect = '/web'): Promise<Answer> {
    const { csrf, cookie } = await form();
    return send('/web/login', { headers: { cookie }, form: { _csrf: csrf, user, password: PASSWORD, redirect } });
  }
  const sessionCookie = async (user: string) => valueOf((await signIn(user)).cookies, '__Host-session');
  const withCookie = (value: string) => ({ headers: { cookie: `__Host-session=${value}` } });

  beforeAll(async () => {
    await cluster.start();
    for (const user of ['alice', 'mallory', 'carol'])
      await cluster.admin(`tctl users add ${user} --roles=access --aws-role-arns=${reader} --password-stdin`, { input: `${PASSWORD}\n` });
    const cas = await hostCasOf(cluster);
    const token = (await cluster.admin('tctl tokens add --type=app --app-name=aws --format=text')).trim();
    const host = await joinHost(cluster.proxy, cas, token, 'app');
    const client = dial(cluster.proxy, AUTH, cas, host);
    await announceApp(client, 'aws', MARKUP);
    client.close();
  });
  afterAll(async () => {
    agent.destroy();
    await cluster.stop();
  });

  it('AP-04 are cookies for this host alone, over TLS alone, that no script reads', async () => {
    const { status, cookies } = await signIn('alice');
    expect(status).toBe(303);
    for (const line of cookies.filter((cookie) => !/=;/.test(cookie))) {
      expect(line).toMatch(/^__Host-/);
      for (const attribute of ['Secure', 'HttpOnly', 'Path=/', 'SameSite=']) expect(line).toContain(attribute);
      expect(line).not.toMatch(/domain/i);
    }
    const cookie = valueOf(cookies, '__Host-session');
    // One that a sister site threw in, before or behind the own one: nobody can tell which is whose.
    for (const thrown of [`${cookie}; __Host-session=x`, `x; __Host-session=${cookie}`])
      expect((await send('/web', withCookie(thrown))).status).toBe(303);
    expect((await send('/web', withCookie(cookie))).status).toBe(200);
  });

  it('AP-01 open nothing where a byte was changed, or after sign-out', async () => {
    const cookie = await sessionCookie('alice');
    const changed = `${cookie.slice(0, -1)}${cookie.endsWith('A') ? 'E' : 'A'}`;
    for (const value of [changed, cookie.slice(1), cookie.toLowerCase(), '', 'x'.repeat(43)])
      expect([value, (await send('/web/launch/aws', withCookie(value))).status]).toEqual([value, 303]);
    const page = await send('/web', withCookie(cookie));
    const csrf = /name="_csrf" value="([^"]+)"/.exec(page.body)?.[1] ?? '';
    const both = `__Host-session=${cookie}; __Host-csrf=${valueOf(page.cookies, '__Host-csrf')}`;
    expect((await send('/web/logout', { headers: { cookie: both }, form: {} })).status).toBe(403);
    expect((await send('/web/logout', { headers: { cookie: both }, form: { _csrf: csrf } })).status).toBe(303);
    expect((await send('/web', withCookie(cookie))).status).toBe(303);
  });

  it('AP-03 ED-19 begin and end with forms of this proxy’s own pages, and no other', async () => {
    const { csrf, cookie } = await form();
    const fields = { _csrf: csrf, user: 'mallory', password: PASSWORD, redirect: '/web' };
    for (const from of ['https://evil.example', 'null', 'https://localhost', `http://${cluster.proxy}`]) {
      const { status, cookies } = await send('/web/login', { headers: { cookie, origin: from }, form: fields });
      expect([from, status, valueOf(cookies, '__Host-session')]).toEqual([from, 403, '']);
    }
    const other = await form();
    for (const headers of [{}, { cookie: other.cookie }, { cookie: '__Host-csrf=x' }])
      expect((await send('/web/login', { headers, form: fields })).status).toBe(403);
    const plain = { method: 'POST', headers: { cookie, 'content-type': 'text/plain' } };
    expect((await send('/web/login', plain)).status).toBe(403);
    expect([403, 415]).toContain((await send('/web/login', { ...plain, headers: { ...plain.headers, origin: origin() } })).status);
    expect((await send('/web/login', { headers: { cookie }, form: fields })).status).toBe(303);
  });

  it('ED-17 lead back to a page of this proxy, whatever the address of the sign-in page says', async () => {
    const foreign = [
      'https://evil.example',
      '//evil.example',
      '/\\evil.example',
      '/%2f/evil.example',
      'https:evil.example',
      '/web/x\r\nSet-Cookie: evil=1',
      '/web//evil.example',
    ];
    const { csrf, cookie } = await form();
    for (const redirect of foreign) {
      expect((await send(`/web/login?redirect=${encodeURIComponent(redirect)}`)).body).toContain('name="redirect" value="/web"');
      expect((await send(`/web/continue?to=${encodeURIComponent(redirect)}`)).body).toContain('content="0; url=/web"');
    }
    const [first = ''] = foreign;
    const answer = await send('/web/login', {
      headers: { cookie },
      form: { _csrf: csrf, user: 'carol', password: PASSWORD, redirect: first },
    });
    expect([answer.status, answer.location]).toEqual([303, '/web']);
  });

  it('ED-05 ED-18 go by this proxy’s own address and the one spelling of a path', async () => {
    const cookie = await sessionCookie('carol');
    const claims = {
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'http',
      forwarded: 'host=evil.example',
      'x-http-method-override': 'POST',
    };
    const page = await send('/web', { headers: { ...claims, cookie: `__Host-session=${cookie}` } });
    expect([page.status, page.body.includes('evil')]).toEqual([200, false]);
    for (const path of ['/WEB', '/web/', '/web/../web', '/web;x', '//web', '/web%2flaunch/aws', '/web/launch/aws/', '/web/login/..;/'])
      expect([path, Math.floor((await send(path, withCookie(cookie))).status / 100)]).toEqual([path, 4]);
    for (const host of ['evil.example', `aws.${cluster.proxy}`, 'localhost'])
      expect((await send('/web', { headers: { host } })).status).toBe(421);
  });

  it('AP-06 AP-08 launch applications that are served under roles that were granted, and each refusal is on record', async () => {
    const cookie = await sessionCookie('alice');
    for (const name of ['evil.com', '..%2f..', 'aws.evil.example', 'AWS', '__proto__'])
      expect([name, (await send(`/web/launch/${name}`, withCookie(cookie))).status]).toEqual([name, 404]);
    const roles = [
      'arn:aws:iam::123456789012:role/Admin',
      'arn:aws:iam::999999999999:role/Reader',
      reader.toLowerCase(),
      'arn:aws-cn:iam::123456789012:role/Reader',
      'arn:aws:iam::123456789012:role/a/../Reader',
      '*',
      'Admin',
    ];
    for (const role of roles) {
      const { status, body, location } = await send(`/web/launch/aws?role=${encodeURIComponent(role)}`, withCookie(cookie));
      expect([role, status, location]).toEqual([role, 403, '']);
      expect(body).toContain('Reader');
    }
    const records = await cluster.admin('tctl audit ls --user=alice --kind=cert.create --format=json');
    expect(records.match(/TC000E/g)?.length).toBeGreaterThanOrEqual(roles.length);
    // The one that was granted goes as far as the agent, which nobody runs here.
    const granted = await send(`/web/launch/aws?role=${encodeURIComponent(reader)}`, withCookie(cookie));
    expect([granted.status, granted.body.includes('No agent of this application answers now')]).toEqual([503, true]);
  });

  it('AP-13 show what others wrote as text', async () => {
    const cookie = await sessionCookie('alice');
    for (const path of ['/web', `/web/launch/aws?role=${encodeURIComponent(MARKUP)}`]) {
      const { body, headers } = await send(path, withCookie(cookie));
      expect(body).not.toContain('<img');
      expect(body).toContain('&#60;img');
      expect(String(headers['content-security-policy'])).toContain("default-src 'none'");
    }
  });

  it('AP-12 are over within five seconds of a lock, and at once where the user is deleted or gets another password', async () => {
    const endsWithin = async (ms: number, value: string) => {
      const beganMs = performance.now();
      await expect.poll(async () => (await send('/web', withCookie(value))).status, { timeout: ms, interval: 100 }).not.toBe(200);
      return performance.now() - beganMs;
    };
    const [locked, deleted, reset] = [await sessionCookie('mallory'), await sessionCookie('carol'), await sessionCookie('alice')];
    const name = /"([0-9a-f-]{36})"/.exec(await cluster.admin('tctl lock --user=mallory --message=test'))?.[1] ?? '';
    expect(await endsWithin(5_000, locked)).toBeLessThan(5_000);
    await cluster.admin(`tctl rm lock/${name}`);
    expect((await send('/web/launch/aws', withCookie(locked))).status).toBe(303);
    await cluster.admin('tctl users rm carol');
    expect((await send('/web/launch/aws', withCookie(deleted))).status).toBe(303);
    await cluster.admin('tctl users reset alice --password-stdin', { input: `${PASSWORD}\n` });
    expect((await send('/web/launch/aws', withCookie(reset))).status).toBe(303);
  });
});
