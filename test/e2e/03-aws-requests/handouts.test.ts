import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Cluster, ROLE } from '@postern/test-harness/cluster.ts';
import { freePort } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientEnv, openDoor, openStage, ROLE_ARN, roleYaml } from '#02-aws-guide/stage.ts';
import { signedChunks } from '#03-aws-requests/signer.ts';
import { call, type Call, type Door, endpointDoor, proxyDoor } from '#03-aws-requests/wire.ts';

const cannot = lacking('boto3');
const HOST = 'sts.us-east-1.amazonaws.com';
/** What is left of the certificate, at most. */
const LIFE_SECONDS = 30 * 60;
const FORM = ['Content-Type', 'application/x-www-form-urlencoded; charset=utf-8'] as const;
const ASKED = `Action=AssumeRole&Version=2011-06-15&RoleArn=${encodeURIComponent(ROLE_ARN)}&RoleSessionName=mine`;
const WEB = `${ASKED.replace('AssumeRole', 'AssumeRoleWithWebIdentity')}&WebIdentityToken=token`;
const form = (body: string, query?: string, more: NonNullable<Call['headers']> = []): Partial<Call> => ({
  body: Buffer.from(body),
  headers: [FORM, ...more],
  ...(query === undefined ? {} : { query }),
});

interface AskedOfSts {
  readonly operation: string;
  readonly verified: boolean;
  readonly parameters: Readonly<Record<string, string>>;
  readonly identity?: { readonly arn: string };
}

/** Keys that AWS hands out live as long as the certificate of whoever asked, or are not handed out. */
describe.skipIf(cannot !== undefined)('keys for twelve hours', () => {
  const cluster = new Cluster();
  const doors = new Map<string, Door>();
  const clients = new Map<string, Record<string, string>>();
  const handedOut = (after: number) =>
    (cluster.rawLog().slice(after) as unknown as readonly AskedOfSts[]).filter(
      ({ operation, identity }) => /^AssumeRole|^Get/.test(operation) && identity?.arn.endsWith(`${ROLE}/alice`) === true,
    );

  beforeAll(async () => {
    await openStage(cluster);
    const file = join(cluster.dir, 'short.yaml');
    writeFileSync(file, roleYaml().replace('spec:\n', `spec:\n  options:\n    max_session_ttl: ${LIFE_SECONDS / 60}m\n`));
    await cluster.admin(`tctl create -f ${file}`);
    await cluster.signIn();
    await cluster.mustSh(`tsh apps login --aws-role ${ROLE} aws`);
    const { env } = await openDoor(cluster);
    doors.set('tsh proxy aws', proxyDoor(env));
    clients.set('tsh proxy aws', env);
    const port = await freePort();
    await cluster.mustSh(`tsh up --port ${port}`);
    const { AWS_ACCESS_KEY_ID: id = '', AWS_SECRET_ACCESS_KEY: secret = '' } = env;
    doors.set('tsh up', endpointDoor(port, { id, secret }));
    clients.set('tsh up', { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_ENDPOINT_URL: `http://127.0.0.1:${port}` });
  }, 120_000);
  afterAll(async () => {
    await cluster.sh('tsh down');
    await cluster.stop();
  });

  describe.each(['tsh proxy aws', 'tsh up'])('through %s', (name) => {
    const door = () => doors.get(name) ?? expect.fail('the door is not open');
    const sts = (asked: Partial<Call>) => call(door(), { awsHost: HOST, service: 'sts', method: 'POST', path: '/', ...asked });

    it.each<[string, Partial<Call>]>([
      ['in a form', form(`${ASKED}&DurationSeconds=43200`)],
      ['in a form that says nothing', form(ASKED)],
      ['in a query string', { method: 'GET', query: `${ASKED}&DurationSeconds=43200` }],
      ['in the query string of a POST', { query: `${ASKED}&DurationSeconds=43200` }],
      ['with the duration in the query string and the rest in a form', form(ASKED, 'DurationSeconds=43200')],
      ['with the rest in the query string and the duration in a form', form('DurationSeconds=43200', ASKED)],
      ['in a form whose names and digits are escaped', form(`${ASKED}&Duration%53econds=%34%33200`)],
      ['in a form with a hash of another kind', { ...form(`${ASKED}&DurationSeconds=43200`), payload: 'UNSIGNED-PAYLOAD' }],
      ['of a federated user', form('Action=GetFederationToken&Version=2011-06-15&Name=mine&DurationSeconds=129600')],
    ])('%s are asked for no longer than the certificate lasts', async (_how, asked) => {
      const before = cluster.rawLog().length;
      const answer = await sts(asked);
      const [seen = expect.fail(answer.body.toString()), another] = handedOut(before);
      expect(another).toBeUndefined();
      const { verified, parameters } = seen;
      expect(verified).toBe(true);
      expect(Number(parameters['DurationSeconds'])).toBeGreaterThanOrEqual(900);
      expect(Number(parameters['DurationSeconds'])).toBeLessThanOrEqual(LIFE_SECONDS);
      if (seen.operation === 'AssumeRole') expect([answer.status, answer.body.toString()]).toEqual([200, expect.stringMatching(/ASIA/)]);
    });

    it.each<[string, Partial<Call>, RegExp]>([
      ['twice in a form', form(`${ASKED}&DurationSeconds=900&DurationSeconds=43200`), /DurationSeconds is there twice/],
      ['in form and query string', form(`${ASKED}&DurationSeconds=900`, 'DurationSeconds=43200'), /DurationSeconds is there twice/],
      ['in another spelling', form(`${ASKED}&durationseconds=43200`), /DurationSeconds is written/],
      ['not as a number', form(`${ASKED}&DurationSeconds=4.32e4`), /not a whole number/],
      ['by two actions', form(`${ASKED}&DurationSeconds=43200`, 'Action=GetCallerIdentity'), /Action twice/],
      ['by an action that is escaped', form(`${ASKED.replace('AssumeRole', 'Assume%52ole')}&DurationSeconds=43200`), /Action plainly/],
      ['behind a semicolon', form(`${ASKED};DurationSeconds=43200`), /not encoded as a form/],
      [
        'compressed',
        { body: gzipSync(`${ASKED}&DurationSeconds=43200`), headers: [FORM, ['Content-Encoding', 'gzip']] },
        /not taken compressed/,
      ],
      [
        'in JSON',
        {
          headers: [
            ['Content-Type', 'application/x-amz-json-1.1'],
            ['X-Amz-Target', 'AWSSecurityTokenServiceV20110615.AssumeRole'],
          ],
          body: Buffer.from(JSON.stringify({ RoleArn: ROLE_ARN, RoleSessionName: 'mine', DurationSeconds: 43_200 })),
        },
        /not spoken to in json/,
      ],
      [
        'in chunks',
        {
          headers: [FORM, ['X-Amz-Decoded-Content-Length', String(ASKED.length)]],
          payload: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
          body: (seed) => signedChunks(Buffer.from(ASKED), 65_536, seed),
        },
        /has to be read by the agent/,
      ],
      ['with a web identity, in a form', form(`${WEB}&DurationSeconds=43200`), /takes no signature of a role: it is asked of AWS itself/],
      ['with a web identity, in a query string', { method: 'GET', query: `${WEB}&DurationSeconds=43200` }, /takes no signature of a role/],
    ])('%s are not asked for, and the words say why', async (_how, asked, words) => {
      const before = cluster.rawLog().length;
      const answer = await sts(asked);
      expect(answer.body.toString()).toMatch(words);
      expect([400, 403]).toContain(answer.status);
      expect(cluster.rawLog()).toHaveLength(before);
    });

    it('by an address that was signed beforehand are cut as well', async () => {
      const before = cluster.rawLog().length;
      const env = clientEnv(clients.get(name));
      const script = `import boto3
print(boto3.client('sts').generate_presigned_url('assume_role', Params={'RoleArn': '${ROLE_ARN}', 'RoleSessionName': 'mine', 'DurationSeconds': 43200}, HttpMethod='GET'))`;
      const url = (await cluster.mustSh('python3 -c "$SCRIPT"', { env: { ...env, SCRIPT: script } })).trim();
      const through = name === 'tsh up' ? '' : '--proxy "$HTTPS_PROXY" --cacert "$AWS_CA_BUNDLE"';
      expect(await cluster.mustSh(`curl -sS ${through} '${url}'`, { env })).toMatch(/ASIA/);
      const durations = handedOut(before).map(({ parameters }) => Number(parameters['DurationSeconds']));
      expect(durations).toHaveLength(1);
      expect(durations[0]).toBeLessThanOrEqual(LIFE_SECONDS);
    });

    it('boto3 is told what to do about operations that take no signature, that carry one within, and of keys that last', async () => {
      const before = cluster.rawLog().length;
      const printed = await cluster.mustSh(`python3 ${join(import.meta.dirname, 'handouts.py')}`, { env: clientEnv(clients.get(name)) });
      const told = JSON.parse(printed) as Record<string, readonly [code: string, words: string]>;
      for (const what of ['cognito', 'identity', 'sts', 'sso'])
        expect(told[what]?.[1]).toMatch(/what takes no signature is asked of AWS itself/);
      expect(told['copy']?.[1]).toMatch(/PresignedUrl that the SDK has signed with the local key.*copy between regions in the console/);
      expect(told['key']?.[1]).toMatch(/lasts until it is deleted/);
      expect(cluster.rawLog()).toHaveLength(before);
    }, 60_000);
  });

  it('what was handed out stands in the audit log: the id of the key and its life, and nothing that is secret', async () => {
    const printed = await cluster.admin('tctl audit ls --user=alice --kind=app.session.request --limit=1000 -f json');
    // AWS gives a federated user's keys to nobody who has a role: that answer has no key in it.
    const events = (JSON.parse(printed) as Record<string, unknown>[]).filter((event) => event['phase'] === 'outcome');
    const handed = events.filter((event) => event['operation'] === 'AssumeRole' && event['status_code'] === 200);
    expect(handed.length).toBeGreaterThan(10);
    for (const event of handed) {
      expect(event['handed_out']).toEqual([expect.stringMatching(/^ASIA/)]);
      expect(event['handed_out_seconds']).toBeLessThanOrEqual(LIFE_SECONDS);
    }
    expect(printed).not.toMatch(/SecretAccessKey|SessionToken/);
  });
});
