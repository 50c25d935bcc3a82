import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PASSWORD } from '@postern/test-harness/cluster.ts';
import { until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { useApplications } from './applications.ts';
import { ask, Company, KEY_SECRET } from './company.ts';

const cannot = lacking('openssl', 'aws');
const CANARY = {
  item: 'canary-in-an-item-7d1f',
  clientToken: 'canary-security-token-51c0',
  cookie: 'canary-cookie-90ae',
  signature: 'canary0signature0e17',
};
/** What holds a secret because that is what it is for: written by the operator or by this story, not by what is tested. */
const MEANT = [/^aws-requests\.jsonl$/, /^web-.*\.pem$/, /^agent\/token$/, /^aws-token$/];
/** What programs were asked to print, or keep for the person whose it is. */
const HOLDS: readonly (readonly [RegExp, what: RegExp])[] = [
  [/^proxy-aws\.log$/, /^localSecret/],
  [/^home\/alice\/\.tsh\/keys\//, /^localSecret/],
];
/** Private keys lie here, and nowhere else. */
const KEYS = [/^auth\/proc\/(?:admin|proxy)\.json$/, /^home\/[^/]+\/\.tsh\/keys\//, /^(?:aws-)?agent\/data\/(?!log|spool)/, /^web-/];

describe.skipIf(cannot !== undefined)('secrets', () => {
  const company = new Company();
  const { cluster } = company;
  let audit = '';
  let said = '';
  let secrets: Record<string, string> = {};

  beforeAll(async () => {
    await company.open({ debug: true });
    const { port } = await cluster.openTunnel('alice');
    const headers = {
      authorization: `AWS4-HMAC-SHA256 Credential=AKIACANARY/20260101/local/dynamodb/aws4_request, SignedHeaders=host, Signature=${CANARY.signature}`,
      'x-amz-security-token': CANARY.clientToken,
      cookie: `session=${CANARY.cookie}`,
    };
    const put = JSON.stringify({ TableName: 'missing', Item: { id: { S: CANARY.item } } });
    expect((await ask(port, { operation: 'ListTables', body: '{}', headers })).status).toBe(200);
    // What is refused is described in logs more often than what passes: by AWS, by the agent's parser, by its rules.
    await ask(port, { operation: 'PutItem', body: put, headers });
    await ask(port, { operation: 'PutItem', body: put.slice(0, -3), headers });
    await ask(port, { operation: 'PutItem', body: put.replace('missing', 'arn:aws:dynamodb:us-east-1:999999999999:table/x'), headers });
    await ask(port, { operation: 'Nothing', body: put, headers });
    await ask(port, { operation: 'PutItem', body: put, headers: { ...headers, origin: 'https://evil.example' } });
    const wrong = await cluster.sh(`tsh -d login --proxy=${cluster.proxy} --user=alice`, { person: 'eve', input: `${PASSWORD}-wrong\n` });
    const listed = await cluster.sh('tsh -d db ls');
    const used = await useApplications(cluster);
    said = [wrong, listed].map(({ stdout, stderr }) => stdout + stderr).join('\n') + used.said;
    await until('the requests in the audit log', 30_000, async () => {
      audit = await cluster.admin('tctl -d audit ls -f json --limit 1000000');
      return audit.includes('"app.session.console"') && audit.includes('"handed_out"') ? true : undefined;
    });
    const tokens = company.seen().flatMap(({ headers: sent }) => sent.filter(([name]) => name.toLowerCase() === 'x-amz-security-token'));
    expect(tokens.length).toBeGreaterThan(0);
    secrets = {
      ...CANARY,
      ...used.secrets,
      password: PASSWORD,
      joinToken: company.token,
      agentKey: KEY_SECRET,
      sessionToken: tokens[0]?.[1] ?? '',
    };
    expect(Object.entries(secrets).filter(([, secret]) => secret.length < 16)).toEqual([]);
    expect(Object.keys(secrets).length).toBeGreaterThan(20);
  }, 240_000);
  afterAll(() => cluster.stop());

  it('AG-03 do not travel to AWS as the client sent them', () => {
    const text = readFileSync(cluster.rawLogFile, 'utf8');
    for (const canary of [CANARY.clientToken, CANARY.cookie, CANARY.signature]) expect(text).not.toContain(canary);
  });

  it('JN-10 are in no command line, and the token in no environment', () => {
    const all = readdirSync('/proc').flatMap((pid) => (/^\d+$/.test(pid) ? [read(`/proc/${pid}/cmdline`)] : []));
    // The stand-in for AWS is told by a flag which key it is to know.
    const lines = all.filter((line) => !line.includes('aws-emulator'));
    expect(lines.some((line) => line.includes('teleport'))).toBe(true);
    for (const [what, secret] of Object.entries(secrets))
      expect({ what, found: lines.some((line) => line.includes(secret)) }).toEqual({ what, found: false });
    const environments = readdirSync('/proc').flatMap((pid) => (/^\d+$/.test(pid) ? [read(`/proc/${pid}/environ`)] : []));
    expect(environments.some((text) => text.includes('AWS_ENDPOINT_URL'))).toBe(true);
    expect(environments.some((text) => text.includes(company.token) || text.includes(PASSWORD))).toBe(false);
  });

  it('AU-04 are in no file that they are not meant for, and not in the audit log', () => {
    const found: string[] = [];
    for (const file of filesIn(cluster.dir)) {
      if (MEANT.some((pattern) => pattern.test(file))) continue;
      const text = readFileSync(join(cluster.dir, file), 'latin1');
      for (const [what, secret] of Object.entries(secrets))
        if (isIn(text, secret) && !HOLDS.some(([pattern, held]) => held.test(what) && pattern.test(file))) found.push(`${what} in ${file}`);
      // Words of the code alone are in the cache of compiled code.
      if (!/PRIVATE KEY-----(?:\\n|\r?\n)[A-Za-z0-9+/]{20}/.test(text)) continue;
      if (!KEYS.some((pattern) => pattern.test(file))) found.push(`a private key in ${file}`);
      else if (!file.startsWith('web-') && (statSync(join(cluster.dir, file)).mode & 0o077) !== 0) found.push(`${file} is open to others`);
    }
    for (const [what, secret] of Object.entries(secrets)) {
      if (isIn(audit, secret)) found.push(`${what} in the audit log`);
      if (isIn(said, secret)) found.push(`${what} in what a tool said at the level debug`);
    }
    expect(found).toEqual([]);
  });

  it('AU-04 are found as base64 at whatever place they stand in what was encoded', () => {
    for (const secret of Object.values(secrets))
      for (let before = 0; before < 6; before++)
        for (const coding of ['base64', 'base64url'] as const) {
          const text = Buffer.from(`${'?'.repeat(before)}${secret}~and more`).toString(coding);
          expect([secret, before, coding, isIn(text, secret)]).toEqual([secret, before, coding, true]);
          expect(isIn(text, `${secret.slice(0, -1)}\u0001`)).toBe(false);
        }
  });

  it('AU-04 were looked for where they were in use', () => {
    const uses: Record<string, RegExp> = {
      'auth-host': /session closed/,
      agent: /attached/,
      'aws-agent': /attached/,
      'proxy-aws': /HTTPS_PROXY/,
    };
    for (const [name, use] of Object.entries(uses))
      expect([name, read(join(cluster.dir, `${name}.log`))]).toEqual([name, expect.stringMatching(use)]);
    for (const event of ['app.session.request', 'app.session.console', 'db.session.dynamodb.request', 'user.login', 'instance.join'])
      expect([event, audit.includes(`"${event}"`)]).toEqual([event, true]);
    expect(filesIn(cluster.dir).filter((file) => /^auth\/.*sqlite/.test(file)).length).toBeGreaterThan(0);
  });
});

/** As it is, or as a URL or base64 would carry it: by itself, or in the middle of what was encoded with it. */
function isIn(text: string, secret: string): boolean {
  return [secret, encodeURIComponent(secret), ...base64Within(secret)].some((form) => text.includes(form));
}

/**
 * What base64 shows of the secret where none, one or two bytes stand before its last full group of three, and whatever stands behind it:
 * without the characters that those neighbours have a part in. In base64url as well.
 */
function base64Within(secret: string): string[] {
  const bytes = Buffer.from(secret);
  return [0, 1, 2].flatMap((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    const [first, end] = [Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6)];
    const own = encoded.slice(first, end);
    return [own, own.replaceAll('+', '-').replaceAll('/', '_')];
  });
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

function filesIn(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(dir, join(entry.parentPath, entry.name)));
}
