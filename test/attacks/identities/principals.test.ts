import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { APP, appRole, ROLE_ARN, startAppAgent } from '@postern/test-harness/app-agent.ts';
import { ACCOUNT, PASSWORD, ROLE } from '@postern/test-harness/cluster.ts';
import { type Held, type HeldSession, listTables, sessionName, sessionRaw, signInRaw } from '@postern/test-harness/dial.ts';
import { certificateDerOf, identityOf } from '@postern/pki';
import { until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { RawChannel } from '@postern/test-harness/raw-call.ts';
import { signedRequest } from '@postern/test-harness/sign-v4.ts';
import { DATABASE, Stage } from '@postern/test-harness/stage.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { forge, hostCasOf } from './held.ts';
import { stolenAuthorities } from './stolen-authorities.ts';

const cannot = lacking('openssl');

describe.skipIf(cannot !== undefined)('certificates of sessions', () => {
  const stage = new Stage();
  const { cluster } = stage;
  let hostCas: string[] = [];
  const at = (name: string) => join(cluster.dir, name);
  const write = (name: string, text: string) => writeFileSync(at(name), text);
  const channel = (serverName: string, held: Held) => RawChannel.open({ port: cluster.proxyPort, serverName, hostCaPems: hostCas, held });
  /** What is answered to one request on a stream of the session; how it ended where nothing is. */
  async function through(ticket: string, who: Held, asked: { readonly headers?: Record<string, string>; readonly request?: string } = {}) {
    const { headers = {}, request = listTables(8000) } = asked;
    const opened = channel(sessionName(ticket), who);
    const { kind, body } = await opened.call({
      path: '/postern.v1.AgentSession/Connect',
      headers: { 'postern-local-port': '8000', ...headers },
      messages: [Buffer.from(request)],
      end: false,
      waitMs: 10_000,
    });
    opened.close();
    // Behind the head of a frame.
    return kind === 'answered' ? body.subarray(5).toString('latin1') : kind;
  }
  /** As a program of the person's own asks STS who it is, through the application. */
  function whoAmI(ticket: string, who: Held): Promise<string> {
    const host = 'sts.us-east-1.amazonaws.com';
    const keys = { id: `AKIA${'A'.repeat(16)}`, secret: randomBytes(20).toString('hex') };
    const asked = { method: 'GET', host, path: '/', query: 'Action=GetCallerIdentity&Version=2011-06-15', service: 'sts' } as const;
    const headers = { 'postern-local-key': `${keys.id}:${keys.secret}`, 'postern-connect-host': host };
    return through(ticket, who, { headers, request: signedRequest(asked, keys) });
  }

  beforeAll(async () => {
    await stage.open({ roles: ['Reader'] });
    await stage.attached(stage.agent('agent'));
    await startAppAgent(cluster);
    hostCas = await hostCasOf(cluster);
  });
  afterAll(() => cluster.stop());

  it('AG-10 are for what they name, by whatever ticket their holder comes, and the agent knows', async () => {
    const database = (name: string) =>
      `kind: db\nversion: v3\nmetadata: { name: ${name}, labels: { of: second } }\nspec: { protocol: dynamodb, aws: { region: us-east-1, account_id: "${ACCOUNT}" } }\n`;
    write('databases.yaml', `${database('prod')}---\n${database('staging')}`);
    await cluster.admin('tctl create -f databases.yaml');
    const token = (await cluster.admin('tctl tokens add --type=db --format=text')).trim();
    const lines = [
      'version: v3',
      'teleport:',
      '  nodename: second',
      `  data_dir: ${at('second/data')}`,
      `  proxy_server: ${cluster.proxy}`,
      `  auth_token: ${token}`,
      'db_service: { enabled: "yes", resources: [{ labels: { of: second } }] }',
      '',
    ];
    await stage.attached(cluster.startAgent('second', lines.join('\n')));
    const role = (deny: string) =>
      `kind: role\nversion: v6\nmetadata: { name: both }\nspec:\n  allow: { db_labels: { '*': '*' }, db_users: ['${ROLE}', Reader] }\n${deny}`;
    write('both.yaml', role(''));
    await cluster.admin('tctl create -f both.yaml');
    await cluster.admin('tctl users add nina --roles=both --password-stdin', { input: `${PASSWORD}\n` });
    const nina = await signInRaw(cluster.proxy, hostCas, { user: 'nina', password: PASSWORD });
    const held = (db: string, principal: string) => sessionRaw(cluster.proxy, hostCas, nina, { db, principal });
    await until('the second agent to serve', 10_000, () => held('staging', ROLE).catch(() => undefined));
    const [dev, prod, staging] = [await held(DATABASE, ROLE), await held('prod', ROLE), await held('staging', 'Reader')];
    expect(await through(prod.issued.ticket, prod)).toContain('200 OK');
    const atAws = () => cluster.dynamoDbAtAws();
    const before = atAws().length;
    expect(await through(prod.issued.ticket, dev)).toBe('cut');
    expect(await through(dev.issued.ticket, prod)).toBe('cut');
    expect(atAws()).toHaveLength(before);
    // Where one agent serves both he is who his certificate says, in AWS's eyes and in the log.
    expect(await through(prod.issued.ticket, staging)).toContain('200 OK');
    expect(atAws().slice(before)).toMatchObject([{ identity: { arn: expect.stringContaining('/Reader/nina') as unknown } }]);
    await until('each by its certificate in the log', 15_000, async () => {
      const told = JSON.parse(await cluster.admin('tctl audit ls -f json --limit 1000')) as Record<string, unknown>[];
      // The agent of another resource is not one that auth gave the session to: what it says of it is marked as its own word.
      const refused = told.flatMap(({ event, code, unverified }) =>
        event === 'db.session.start' && code === 'TDB00W' ? [(unverified as { session_id?: string } | undefined)?.session_id] : [],
      );
      if (![dev, prod].every(({ issued }) => refused.includes(issued.sessionId))) return undefined;
      const requests = told.filter(({ event, phase }) => event === 'db.session.dynamodb.request' && phase === 'intent');
      const of = ({ issued }: HeldSession) => requests.filter(({ sid }) => sid === issued.sessionId).map(({ resource }) => resource);
      const seen = JSON.stringify([of(dev), of(prod), of(staging)]);
      return seen === JSON.stringify([[], ['db/prod'], ['db/staging']]) ? true : undefined;
    });

    // A rule that denies the role in other letters, made while the session is open: the agent's own decision.
    write('both.yaml', role(`  deny: { db_users: ['${ROLE.toUpperCase()}'] }\n`));
    await cluster.admin('tctl create -f both.yaml');
    const denied = await until('the denial', 5_000, async () => {
      const answer = await through(prod.issued.ticket, prod);
      return answer.includes('200 OK') ? undefined : answer;
    });
    expect(denied).toMatch(/^HTTP\/1\.1 4\d\d[\s\S]*AccessDenied/);
    const settled = atAws().length;
    expect(await through(prod.issued.ticket, prod)).not.toContain('200 OK');
    expect(atAws()).toHaveLength(settled);
    expect(await through(staging.issued.ticket, staging)).toContain('200 OK');
    await expect(held('prod', ROLE)).rejects.toMatchObject({ code: 'denied' });
  });

  it('AG-10 are for no role of AWS that is denied in other letters since, and an application’s agent knows', async () => {
    await appRole(cluster, 'apps');
    await cluster.admin('tctl users add nora --roles=apps --password-stdin', { input: `${PASSWORD}\n` });
    const nora = await signInRaw(cluster.proxy, hostCas, { user: 'nora', password: PASSWORD });
    const session = await sessionRaw(cluster.proxy, hostCas, nora, { app: APP, principal: ROLE_ARN });
    expect(await whoAmI(session.issued.ticket, session)).toMatch(/^HTTP\/1\.1 200 [\s\S]*nora/);
    await appRole(cluster, 'apps', { denied: [ROLE_ARN.replace(ROLE, ROLE.toLowerCase())] });
    const denied = await until('the denial', 5_000, async () => {
      const answer = await whoAmI(session.issued.ticket, session);
      return answer.startsWith('HTTP/1.1 200 ') ? undefined : answer;
    });
    expect(denied).toMatch(/^HTTP\/1\.1 403 [\s\S]*AccessDenied/);
    const atAws = cluster.rawLog().length;
    expect(await whoAmI(session.issued.ticket, session)).toMatch(/^HTTP\/1\.1 403 /);
    expect(cluster.rawLog()).toHaveLength(atAws);
    await expect(sessionRaw(cluster.proxy, hostCas, nora, { app: APP, principal: ROLE_ARN })).rejects.toMatchObject({ code: 'denied' });
  });

  it('AG-10 are looked at by the agent itself: for no role that its holder may not have, though auth had signed it', async () => {
    await appRole(cluster, 'apps');
    await cluster.admin('tctl users add nils --roles=dynamo,apps --password-stdin', { input: `${PASSWORD}\n` });
    const nils = await signInRaw(cluster.proxy, hostCas, { user: 'nils', password: PASSWORD });
    const { user: authority } = stolenAuthorities(cluster);
    const ofDb = await sessionRaw(cluster.proxy, hostCas, nils, { db: DATABASE, principal: ROLE });
    const ofApp = await sessionRaw(cluster.proxy, hostCas, nils, { app: APP, principal: ROLE_ARN });
    /** The session's own certificate with another role in it. */
    const naming = (session: HeldSession, principal: string): Promise<Held> => {
      const identity = identityOf(certificateDerOf(session.certificatePem));
      const { resourceKind = '', resourceName = '' } = identity.route ?? {};
      return forge({ ...identity, route: { resourceKind, resourceName, principal } }, { authority });
    };
    const other = '999999999999';
    const inOther = ROLE_ARN.replace(ACCOUNT, other);
    const elsewhere = [inOther, ROLE_ARN.replace('arn:aws:', 'arn:aws-cn:')];
    // A role of the database is granted by its name, which an account has once, whatever its path; one of an application by its whole ARN.
    const pathed = ['role/a/../', 'role/a/'].map((path) => ROLE_ARN.replace('role/', path));
    for (const [session, ask, good, bad] of [
      [ofDb, through, ROLE, [...elsewhere, 'Reader', `${ROLE}x`, '*']],
      [ofApp, whoAmI, ROLE_ARN, [...elsewhere, ...pathed, ROLE_ARN.replace(ROLE, 'Reader'), ROLE, '*']],
    ] as const) {
      const { ticket } = session.issued;
      expect(await ask(ticket, await naming(session, good))).toMatch(/^HTTP\/1\.1 200 /);
      const before = cluster.rawLog().length;
      for (const principal of bad) {
        const refusal = expect.stringMatching(/^(?:HTTP\/1\.1 4\d\d [\s\S]*AccessDenied|cut$)/) as unknown;
        const answer = await ask(ticket, await naming(session, principal));
        // STS was not even asked for the role.
        expect([principal, answer, cluster.rawLog().slice(before)]).toEqual([principal, refusal, []]);
      }
    }
  });
});
