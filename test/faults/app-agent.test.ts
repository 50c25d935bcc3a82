import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { auditLines, requestsIn } from '@postern/test-harness/check-audit.ts';
import { ROLE } from '@postern/test-harness/cluster.ts';
import { type Finished, until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { AppAgents } from '#app-agents.ts';
import { TOLD_MS } from '#cut-off.ts';

const cannot = lacking('openssl');

describe.skipIf(cannot !== undefined)('two application agents', () => {
  const agents = new AppAgents();
  const { cluster, stage } = agents;
  beforeAll(() => agents.open());
  beforeEach(() => agents.heal());
  afterAll(() => cluster.stop());

  const launch = `tsh apps console aws --aws-role ${ROLE} --print`;

  it('F-06 F-07 one killed while an upload and a sign-in to the console are with AWS: each sent once, unknown in the log, the other serves in 2 s, no keys on a disk', async () => {
    const { client, load } = agents;
    const { name, id, agent } = await agents.serving();
    const ms = Date.now();
    await cluster.awsFault('getSigninToken', { delayMs: 8_000 });
    await cluster.awsFault('PutObject', { delayMs: 5_000, times: 1 });
    const launches: Promise<Finished>[] = [];
    await until('a sign-in to be with the one that is killed', 30_000, async () => {
      // Whom the proxy chooses for a launch is not for the person to say.
      launches.push(cluster.sh(launch, { timeoutMs: 40_000 }));
      await until('AWS to have it', 10_000, () => agents.atAws('getSigninToken') === launches.length || undefined);
      await pause(500);
      const intents = requestsIn(await auditLines(cluster), 'intent');
      return intents.some(({ event, server_id }) => event === 'app.session.console' && server_id === id) || undefined;
    });
    const puts = agents.atAws('PutObject');
    const sent = client.putObject('once', 'x');
    await until('AWS to have the upload', 10_000, () => agents.atAws('PutObject') > puts || undefined);
    await cluster.awsFault('getSigninToken', undefined);
    const keyIds = cluster.rawLog().flatMap(({ identity }) => (identity?.accessKeyId?.startsWith('ASIA') ? [identity.accessKeyId] : []));
    const assumed = agents.atAws('AssumeRole');
    await agent.stop('SIGKILL');
    const killedMs = Date.now();
    await until('the other to serve', 10_000, () => load.since(killedMs).some(({ status }) => status === 200) || undefined);
    expect(Date.now() - killedMs).toBeLessThan(2_000);
    const lost = await sent;
    expect({ status: lost.status, inTime: lost.tookMs < TOLD_MS }).toEqual({ status: 503, inTime: true });
    expect(lost.body).toMatch(/<Error><Code>ServiceUnavailable<\/Code>/);
    // A person's wish for the console is not a write: tsh asks whoever serves now.
    for (const launched of launches) expect((await launched).stdout).toMatch(/^https:\/\/signin\.aws\.amazon\.com\/federation\?/);

    // Whoever gets the disk gets nothing of what STS gave.
    expect(keyIds.length).toBeGreaterThan(0);
    const { stdout, code } = await cluster.sh(`grep -rlE '${[...new Set(keyIds)].join('|')}' ${name} ${name}.log auth-host.log`);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });

    await agents.start(name);
    const startedMs = Date.now();
    for (const [what, of] of [
      ['upload', ({ operation }: { operation?: string }) => operation === 'PutObject'],
      ['sign-in', ({ event }: { event: string }) => event === 'app.session.console'],
    ] as const)
      await until(`the unknown outcome of the ${what}`, 10_000, async () =>
        (await agents.outcomes({ ms, of })).find(({ outcome }) => outcome === 'unknown'),
      );
    expect(Date.now() - startedMs).toBeLessThan(10_000);
    expect(agents.atAws('PutObject') - puts).toBe(1);

    // With the other gone, the restarted one has to have keys anew, and signs in to the console with them.
    const other = await agents.serving();
    if (other.name !== name) await other.agent.stop();
    await stage.recovers(client, 10_000);
    expect(await cluster.mustSh(launch)).toMatch(/^https:\/\/signin\.aws\.amazon\.com\/federation\?/);
    expect(agents.atAws('AssumeRole')).toBeGreaterThan(assumed);
    await agents.settled();
  });

  it('F-25 a certificate that expires in the middle of an upload and of an answer: cut within 5 s by the agent itself, and in the log', async () => {
    const { client } = agents;
    await stage.role('brief', '12s');
    await stage.user('bea', 'brief');
    const bea = await stage.endpoint('bea');
    const ms = Date.now();
    const upload = await bea.client.beginUpload('half', 1_000_000, { withinMs: 40_000 });
    await cluster.awsFault('GetObject', { delayMs: 60_000, times: 1 });
    const waiting = bea.client.getObject('one', { withinMs: 40_000 });
    const session = await until('its certificate', 5_000, async () =>
      (await auditLines(cluster)).findLast(
        ({ event, user, sid, expires }) => event === 'cert.create' && user === 'bea' && sid !== undefined && expires !== undefined,
      ),
    );
    await pause(500);
    // The person's own program is stopped: what ends the session now is the agent.
    bea.daemon.child.kill('SIGSTOP');
    const untilMs = Date.parse(session.expires ?? '') + 5_000;
    const ended = await until('the end of the session', 30_000, async () =>
      (await auditLines(cluster)).find(({ event, sid }) => event === 'app.session.end' && sid === session.sid),
    );
    expect(Date.parse(ended.time)).toBeLessThan(untilMs);
    expect(ended).toMatchObject({ reason: 'expired' });
    for (const [operation, outcome] of [
      // Half an object is no object.
      ['PutObject', 'not_sent'],
      ['GetObject', 'unknown'],
    ]) {
      const of = ({ operation: asked, user }: { operation?: string; user?: string }) => asked === operation && user === 'bea';
      const became = await until(`what became of ${operation}`, 10_000, async () => (await agents.outcomes({ ms, of }))[0]);
      expect(became).toMatchObject({ outcome, sid: session.sid });
      expect(Date.parse(became.time)).toBeLessThan(untilMs);
    }
    const cut = await until('AWS to miss the rest', 5_000, () =>
      cluster.rawLog().find(({ operation, verified }) => operation === 'PutObject' && !verified),
    );
    expect(cut.refusal).toBe('IncompleteBody');
    bea.daemon.child.kill('SIGCONT');
    for (const answer of await Promise.all([waiting, upload.answer])) expect(answer.status).not.toBe(200);
    expect((await client.getObject('half')).status).toBe(404);
    await bea.daemon.stop();
    await agents.settled();
  });
});
