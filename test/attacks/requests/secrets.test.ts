import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PASSWORD } from '@postern/test-harness/cluster.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { ask, Company, KEY_SECRET } from './company.ts';

const cannot = lacking('openssl');
const CANARY = {
  item: 'canary-in-an-item-7d1f',
  clientToken: 'canary-security-token-51c0',
  cookie: 'canary-cookie-90ae',
  signature: 'canary0signature0e17',
};
/** What holds a secret because that is what it is for: written by the operator or by this story, not by what is tested. */
const MEANT = [/^aws-requests\.jsonl$/, /^web-.*\.pem$/, /^agent\/token$/];
/** Private keys lie here, and nowhere else. */
const KEYS = [/^auth\/proc\/(?:admin|proxy)\.json$/, /^home\/[^/]+\/\.tsh\/keys\//, /^agent\/data\/(?!log|spool)/, /^web-/];

describe.skipIf(cannot !== undefined)('secrets', () => {
  const company = new Company();
  const { cluster } = company;
  let audit = '';
  let secrets: Record<string, string> = {};

  beforeAll(async () => {
    await company.open();
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
    await cluster.sh(`tsh -d login --proxy=${cluster.proxy} --user=alice`, { person: 'eve', input: `${PASSWORD}-wrong\n` });
    await cluster.sh(`tsh -d db ls`);
    audit = await cluster.admin('tctl audit ls -f json --limit 1000000');
    const tokens = company.seen().flatMap(({ headers: sent }) => sent.filter(([name]) => name.toLowerCase() === 'x-amz-security-token'));
    expect(tokens.length).toBeGreaterThan(0);
    secrets = { ...CANARY, password: PASSWORD, joinToken: company.token, agentKey: KEY_SECRET, sessionToken: tokens[0]?.[1] ?? '' };
  });
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
      for (const [what, secret] of Object.entries(secrets)) if (text.includes(secret)) found.push(`${what} in ${file}`);
      if (!text.includes('PRIVATE KEY')) continue;
      if (!KEYS.some((pattern) => pattern.test(file))) found.push(`a private key in ${file}`);
      else if (!file.startsWith('web-') && (statSync(join(cluster.dir, file)).mode & 0o077) !== 0) found.push(`${file} is open to others`);
    }
    for (const [what, secret] of Object.entries(secrets)) if (audit.includes(secret)) found.push(`${what} in the audit log`);
    expect(found).toEqual([]);
  });
});

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
