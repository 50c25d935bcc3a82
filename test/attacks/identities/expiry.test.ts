import { Metadata } from '@grpc/grpc-js';
import { AgentSession, callUnary, LoginService, openDuplex } from '@postern/api';
import { generateKey } from '@postern/pki';
import { APP, appRole, ROLE_ARN, startAppAgent } from '@postern/test-harness/app-agent.ts';
import { busyness } from '@postern/test-harness/busyness.ts';
import { PASSWORD, ROLE } from '@postern/test-harness/cluster.ts';
import { dial, type Held, listTables, sessionName, sessionRaw, signInRaw } from '@postern/test-harness/dial.ts';
import { until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { RawChannel } from '@postern/test-harness/raw-call.ts';
import { DATABASE, Stage } from '@postern/test-harness/stage.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AUTH, hostCasOf } from './held.ts';
import { prepareAws, useAll, useAllBare } from './under-way.ts';

const cannot = lacking('openssl');

describe.skipIf(cannot !== undefined)('certificates that have ended', () => {
  const stage = new Stage();
  const { cluster } = stage;
  let hostCas: string[] = [];
  const channel = (serverName: string, held: Held) => RawChannel.open({ port: cluster.proxyPort, serverName, hostCaPems: hostCas, held });

  beforeAll(async () => {
    await stage.open();
    await stage.attached(stage.agent('agent'));
    await startAppAgent(cluster);
    hostCas = await hostCasOf(cluster);
  });
  afterAll(async () => {
    // What was started in the background is nobody's child.
    await cluster.sh('tsh down', { person: 'olga' });
    await cluster.stop();
  });

  /** Sends a request five times a second for as long as it can, on one stream of the session. */
  function keepAsking(client: ReturnType<typeof dial>) {
    const metadata = new Metadata();
    metadata.set('postern-local-port', '8000');
    const stream = openDuplex<Buffer, Buffer>(client, AgentSession.connect, { metadata });
    let answers = 0;
    let lastMs = 0;
    stream.on('data', (piece: Buffer) => {
      if (!piece.toString('latin1').includes('HTTP/1.1 200 ')) return;
      answers += 1;
      lastMs = Date.now();
    });
    const timer = setInterval(() => stream.write(Buffer.from(listTables(8000))), 200);
    const ended = new Promise<number>((resolve) => {
      for (const event of ['end', 'close', 'error'] as const) stream.on(event, () => resolve(Date.now()));
    }).finally(() => clearInterval(timer));
    return { ended, answers: () => answers, lastMs: () => lastMs };
  }

  it.concurrent('CA-03 end what they opened within five seconds of their end: a tail of the log, a stream and its connection', async () => {
    await cluster.admin('tctl users add otto --roles=auditor,dynamo --password-stdin', { input: `${PASSWORD}\n` });
    const key = generateKey();
    const client = dial(cluster.proxy, AUTH, hostCas);
    const signedIn = await callUnary(client, LoginService.signIn, {
      user: 'otto',
      password: PASSWORD,
      publicKey: key.publicKeyDer,
      ttlSeconds: 6,
      clientVersion: '0.1.0',
    });
    client.close();
    const otto = { certificatePem: signedIn.certificatePem, privateKeyPem: key.privateKeyPem };
    const brief = await sessionRaw(cluster.proxy, hostCas, otto, { db: DATABASE, principal: ROLE });
    expect(brief.issued.validUntilMs).toBeLessThanOrEqual(signedIn.validUntilMs);
    const tail = channel(AUTH, otto);
    // A kind that nothing is of: silence until the end.
    const query = Buffer.from([0x22, 4, 0x6e, 0x6f, 0x6e, 0x65]);
    const ended = tail.call({ path: '/postern.v1.Audit/TailEvents', messages: [query], waitMs: 20_000 });
    const stream = channel(sessionName(brief.issued.ticket), brief);
    const open = stream.call({ path: '/postern.v1.AgentSession/Connect', end: false, waitMs: 20_000 });
    const busy = dial(cluster.proxy, sessionName(brief.issued.ticket), hostCas, brief);
    const asking = keepAsking(busy);
    const endedAt = async (what: Promise<unknown>) => what.then(() => Date.now() - signedIn.validUntilMs);
    const lateMsOfAll = await Promise.all([endedAt(ended), endedAt(open), endedAt(stream.closed()), endedAt(asking.ended)]);
    expect(await ended).toMatchObject({ kind: 'status', status: 16, code: 'expired' });
    for (const lateMs of lateMsOfAll) {
      expect(lateMs).toBeGreaterThan(-1_500);
      expect(lateMs).toBeLessThan(5_000);
    }
    // It served to the end, and nothing behind it.
    expect(asking.answers()).toBeGreaterThan(5);
    expect(asking.lastMs() - signedIn.validUntilMs).toBeLessThan(1_000);
    busy.close();
    const atAws = cluster.dynamoDbAtAws().length;
    await until('the end of his session in the log', 15_000, async () => {
      const said = JSON.parse(await cluster.admin('tctl audit ls -f json --kind=db.session.end')) as Record<string, unknown>[];
      return said.find(({ user, sid, reason }) => user === 'otto' && sid === brief.issued.sessionId && reason === 'expired');
    });
    expect(cluster.dynamoDbAtAws()).toHaveLength(atAws);
    tail.close();
  });

  it.concurrent('CA-03 end what an application has under way within five seconds of their end: a download, a stream of events, a WebSocket', async () => {
    await prepareAws(cluster);
    // Long enough for all of it to be under way before.
    await appRole(cluster, 'brief', { sessionTtl: `${Math.round(16 * Math.min(3, busyness()))}s` });
    await cluster.admin('tctl users add olga --roles=brief --password-stdin', { input: `${PASSWORD}\n` });
    const olga = await signInRaw(cluster.proxy, hostCas, { user: 'olga', password: PASSWORD });
    const bare = await sessionRaw(cluster.proxy, hostCas, olga, { app: APP, principal: ROLE_ARN });
    await cluster.signIn('olga');
    const { active } = JSON.parse(await cluster.mustSh('tsh status -f json', { person: 'olga' })) as { active: { valid_until: string } };
    const client = dial(cluster.proxy, sessionName(bare.issued.ticket), hostCas, bare);
    const [ofPrograms, ofClient] = await Promise.all([useAll(cluster, 'olga'), useAllBare(client)]);
    for (const [untilMs, things] of [
      [Date.parse(active.valid_until), ofPrograms],
      [bare.issued.validUntilMs, ofClient],
    ] as const) {
      expect(things.length).toBe(3);
      for (const { what, ended } of things) {
        const lateMs = (await ended) - untilMs;
        expect([what, lateMs]).toEqual([what, expect.toSatisfy((ms: number) => ms > -1_500 && ms < 5_000 * busyness())]);
      }
    }
    client.close();
    const lines = await until('the ends in the log', 15_000, async () => {
      const all = JSON.parse(await cluster.admin('tctl audit ls -f json --user=olga --limit 1000')) as Record<string, unknown>[];
      return all.filter(({ event }) => event === 'app.session.end').length === 2 ? all : undefined;
    });
    expect(lines.filter(({ phase }) => phase === 'outcome')).toHaveLength(6);
    // Programs of ours leave by themselves when their certificate has ended; who does not is put out.
    const bareEnd = lines.find(({ event, sid }) => event === 'app.session.end' && sid === bare.issued.sessionId);
    expect(bareEnd).toMatchObject({ reason: 'expired' });
  }, 150_000);
});
