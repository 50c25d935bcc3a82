import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster, PASSWORD, ROLE } from '@postern/test-harness/cluster.ts';
import { until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { openStage, ROLE_ARN } from './stage.ts';

const cannot = lacking('openssl');

/** Step 5 of the guide, "Using AWS Management Console", with curl and its jar of cookies in the place of a browser. */
describe.skipIf(cannot !== undefined)('the console from a browser', () => {
  const cluster = new Cluster();
  const curl = (rest: string) => cluster.mustSh(`curl -s --cacert web-ca.pem -b jar -c jar ${rest}`);
  const at = (path: string) => `'https://${cluster.proxy}${path}'`;
  const status = `-o /dev/null -w '%{http_code} %{redirect_url}'`;
  const origin = () => `-H 'Origin: https://${cluster.proxy}'`;
  const csrfOf = (page: string) => /name="_csrf" value="([^"]+)"/.exec(page)?.[1] ?? 'no token';

  beforeAll(() => openStage(cluster));
  afterAll(() => cluster.stop());

  it('asks for user and password, and comes back to what was asked for', async () => {
    expect(await curl(`${status} ${at('/web/launch/aws')}`)).toBe(`303 https://${cluster.proxy}/web/login?redirect=%2Fweb%2Flaunch%2Faws`);
    const form = await curl(at('/web/login?redirect=%2Fweb%2Flaunch%2Faws'));
    const fields = ['user=alice', `password=${PASSWORD}`, 'redirect=/web/launch/aws', `_csrf=${csrfOf(form)}`];
    const data = fields.map((field) => `--data-urlencode '${field}'`).join(' ');
    expect(await curl(`${status} ${origin()} ${data} ${at('/web/login')}`)).toBe(
      `303 https://${cluster.proxy}/web/continue?to=%2Fweb%2Flaunch%2Faws`,
    );
    expect(await curl(at('/web/continue?to=%2Fweb%2Flaunch%2Faws'))).toContain('content="0; url=/web/launch/aws"');
  });

  it('lists the application with its role, and launches the console, which shows who is signed in', async () => {
    const page = await curl(at('/web'));
    expect(page).toContain('Signed in as alice');
    expect(page).toContain(`href="/web/launch/aws?role=${encodeURIComponent(ROLE_ARN)}"`);
    const [code, url = ''] = (await curl(`${status} ${at(`/web/launch/aws?role=${encodeURIComponent(ROLE_ARN)}`)}`)).split(' ');
    expect([code, url.split('?')[0]]).toEqual(['302', 'https://signin.aws.amazon.com/federation']);
    const console = await cluster.mustSh(
      `curl -sSL -c aws-jar -b aws-jar '${url.replace('https://signin.aws.amazon.com', cluster.emulatorUrl)}'`,
    );
    expect(console).toContain(`${ROLE}/alice`);
  });

  it('is reached under the application’s own name as well', async () => {
    const port = cluster.proxyPort;
    const name = `-k --resolve aws.localhost:${port}:127.0.0.1 https://aws.localhost:${port}/`;
    expect(await curl(`${status} ${name}`)).toBe(`302 https://${cluster.proxy}/web/launch/aws`);
  });

  it('is on record with the person, the role and the page, and without what signs in', async () => {
    const records = await until('the agent’s record to have come to auth', 20_000, async () => {
      const shown = await cluster.admin('tctl audit ls --user=alice --kind=app.session.console --format=json');
      return shown.includes(ROLE_ARN) ? shown : undefined;
    });
    expect(records).toContain('https://console.aws.amazon.com/console/home');
    expect(records).not.toMatch(/SigninToken|Action=login/);
  });

  it('is over with sign-out, for the cookie that was kept too', async () => {
    await cluster.mustSh('cp jar kept');
    const csrf = csrfOf(await curl(at('/web')));
    expect(await curl(`${status} ${origin()} --data-urlencode '_csrf=${csrf}' ${at('/web/logout')}`)).toMatch(/^303 .*\/web\/login$/);
    expect(await cluster.mustSh(`curl -s --cacert web-ca.pem -b kept ${status} ${at('/web/launch/aws')}`)).toMatch(/^303 .*\/web\/login/);
  });

  it('is refused for a page that is no console’s, and for a role that was not granted', async () => {
    const form = await curl(at('/web/login'));
    const data = ['user=alice', `password=${PASSWORD}`, `_csrf=${csrfOf(form)}`].map((field) => `--data-urlencode '${field}'`).join(' ');
    await curl(`${status} ${origin()} ${data} ${at('/web/login')}`);
    const foreign = await curl(at(`/web/launch/aws?destination=${encodeURIComponent('https://evil.example/')}`));
    expect(foreign).toContain('which is not a host of the AWS console');
    expect(await curl(`${status} ${at('/web/launch/aws?role=Admin')}`)).toBe('403 ');
  });
});
