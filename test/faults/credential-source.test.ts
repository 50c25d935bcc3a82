import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aftermath } from '@postern/test-harness/aftermath.ts';
import { getItem, Load } from '@postern/test-harness/load.ts';
import { type Daemon, freePort, until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { Stage } from '@postern/test-harness/stage.ts';
import { KeySource } from '#key-source.ts';

const cannot = lacking('openssl');
/** From when the source answers again. */
const BACK_MS = 30_000;
/** So that what the agent holds ends soon after its source is gone. */
const KEYS_LIVE_MS = 20_000;

describe.skipIf(cannot !== undefined)('the source of an agent’s own AWS credentials goes away', () => {
  const stage = new Stage();
  const { cluster } = stage;
  let source: KeySource;
  let agent: Daemon;
  let diagnostics = '';
  let port = 0;

  /** What /readyz says: its status, and its words. */
  const readiness = async () => {
    // It listens a moment after the agent is attached.
    const answer = await fetch(`http://${diagnostics}/readyz`).catch(() => undefined);
    return { status: answer?.status ?? 0, text: (await answer?.text()) ?? '' };
  };
  const readinessOf = (status: number, words: RegExp) =>
    until(`/readyz to answer ${status} ${String(words)}`, BACK_MS, async () => {
      const now = await readiness();
      return now.status === status && words.test(now.text) ? now : undefined;
    });

  beforeAll(async () => {
    await stage.open();
    source = await KeySource.prepare(cluster, KEYS_LIVE_MS);
    diagnostics = `127.0.0.1:${await freePort()}`;
    agent = stage.agent('one', { reach: [`proxy_server: ${cluster.proxy}`, `diag_addr: ${diagnostics}`], env: source.env });
    await stage.attached(agent);
    ({ port } = await cluster.openTunnel('alice'));
  });
  afterAll(async () => {
    await source.stop();
    await cluster.stop();
  });

  it('F-47 gone at the start: the agent runs, says what it lacks, refuses in words, and has it within 30 s of its coming', async () => {
    const { text } = await readinessOf(503, /the agent has no AWS credentials/);
    expect(text).toMatch(/container: \S/);
    const refused = await getItem(port);
    expect(refused).toMatchObject({ status: 503, body: expect.stringMatching(/the agent has no AWS credentials: set them/) as unknown });
    // Where the agent looked is the administrator's to know, and not the user's.
    expect(refused.body).not.toMatch(/container|127\.0\.0\.1|ECONNREFUSED/);
    expect(cluster.dynamoDbAtAws()).toEqual([]);

    await source.start();
    // Nobody asks the agent for anything meanwhile: it looks by itself, and the first request is answered.
    await readinessOf(200, /"ok"/);
    await stage.makeTable(port);
    expect(agent.child.exitCode).toBeNull();
    expect(agent.log()).toMatch(/credentials of this agent are in trouble/);
    expect(agent.log()).toMatch(/credentials of this agent are there again/);
  });

  it('F-47 gone later: what was had serves on, whoever needs it anew is told, and it is back within 30 s; nothing is lost', async () => {
    await stage.user('bea', 'dynamo');
    const bea = await cluster.openTunnel('bea');
    const aftermath = await Aftermath.before(cluster);
    const load = new Load(port, { connections: 1, pauseMs: 100 });
    await source.stop();
    await readinessOf(503, /the agent has no AWS credentials|cannot be renewed and the old ones are used until/);
    const refused = await until('a role that nobody has assumed before to be refused', KEYS_LIVE_MS + BACK_MS, async () => {
      await readinessOf(503, /the agent has no AWS credentials/);
      return getItem(bea.port);
    });
    expect(refused).toMatchObject({ status: 503, body: expect.stringMatching(/the agent has no AWS credentials/) as unknown });

    await source.start();
    await readinessOf(200, /"ok"/);
    expect((await getItem(bea.port)).status).toBe(200);
    expect((await load.stop()).filter(({ status }) => status !== 200)).toEqual([]);
    await aftermath.check({ port });
  });

  it('F-47 its keys are refused by STS for a while: said in words and in /readyz, whoever has a session goes on, the next success ends it', async () => {
    await stage.user('cara', 'dynamo');
    const cara = await cluster.openTunnel('cara');
    const aftermath = await Aftermath.before(cluster);
    const load = new Load(port, { connections: 1, pauseMs: 100 });
    await cluster.awsFault('AssumeRole', { status: 403, code: 'ExpiredToken' });
    for (let i = 0; i < 5; i += 1)
      expect(await getItem(cara.port)).toMatchObject({
        status: 503,
        body: expect.stringMatching(/they have expired \(ExpiredToken\)/) as unknown,
      });
    await readinessOf(503, /they have expired \(ExpiredToken\).*\(access key …\w{4}, container\)/);
    // The source gives the same keys anew meanwhile, with a later end: that makes them no better.
    await agent.says(/ExpiredToken/);
    await readinessOf(503, /they have expired/);

    await cluster.awsFault('AssumeRole', undefined);
    expect((await getItem(cara.port)).status).toBe(200);
    expect((await readiness()).status).toBe(200);
    expect((await load.stop()).filter(({ status }) => status !== 200)).toEqual([]);
    expect(agent.log().match(/ExpiredToken/g)).toHaveLength(1);
    await aftermath.check({ port });
  });
});
