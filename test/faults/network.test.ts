import { request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Aftermath } from '@postern/test-harness/aftermath.ts';
import { Chaos, type ChaosLink } from '@postern/test-harness/chaos/chaos.ts';
import { auditLines, requestsIn } from '@postern/test-harness/check-audit.ts';
import { type Answer, call, getItem, Load, putItem } from '@postern/test-harness/load.ts';
import { type Daemon, must, until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { Stage } from '@postern/test-harness/stage.ts';
import { cutOff, TOLD_MS } from '#cut-off.ts';

const cannot = lacking('openssl', 'iptables');

describe.skipIf(cannot !== undefined)('the network between two agents and their proxy', () => {
  const stage = new Stage();
  const { cluster } = stage;
  const links = new Map<string, ChaosLink>();
  const agents = new Map<string, Daemon>();
  let aftermath: Aftermath;
  let port = 0;
  let load: Load | undefined;

  const start = async (name: string) => {
    const link = links.get(name);
    if (link === undefined) throw new Error(name);
    const said = agents.get(name)?.log().length ?? 0;
    const agent = stage.agent(name, { reach: [`proxy_server: ${link.address}`] });
    agents.set(name, agent);
    await stage.attached(agent, said);
  };
  /** The agent that answers the open session, with its link. */
  const serving = async () => {
    const sentMs = Date.now();
    await stage.recovers(port, 15_000);
    const line = await until('its events', 10_000, async () =>
      requestsIn(await auditLines(cluster), 'outcome').findLast(
        ({ time, outcome }) => outcome === 'answered' && Date.parse(time) >= sentMs,
      ),
    );
    for (const [name, agent] of agents) {
      const link = links.get(name);
      if (link !== undefined && agent.log().includes(line.server_id)) return { name, agent, link };
    }
    throw new Error(`no agent has the id ${line.server_id}`);
  };
  /** Requests one after another until one is answered 200; all answers. */
  const untilServed = async (withinMs: number) => {
    const answers: Answer[] = [];
    const deadline = Date.now() + withinMs;
    while (answers.at(-1)?.status !== 200 && Date.now() < deadline) answers.push(await getItem(port));
    return answers;
  };

  beforeAll(async () => {
    await stage.open();
    const chaos = await Chaos.start(cluster);
    for (const name of ['one', 'two']) {
      links.set(name, await chaos.before(cluster.proxyPort));
      await start(name);
    }
    port = (await stage.tunnel()).port;
    aftermath = await Aftermath.before(cluster);
  });
  beforeEach(async () => {
    await load?.stop();
    for (const link of links.values()) await link.heal();
  });
  afterAll(() => cluster.stop());

  it('F-06 the agent killed after AWS got a PutItem: never sent again, unknown in the log, the other agent serves within 2 s', async () => {
    const { name, agent } = await serving();
    await cluster.awsFault('PutItem', { delayMs: 3_000, times: 1 });
    const puts = () => cluster.dynamoDbAtAws().filter(({ operation }) => operation === 'PutItem').length;
    const before = puts();
    const sent = putItem(port, 'once', 'x');
    await until('AWS to have it', 10_000, () => (puts() > before ? true : undefined));
    await agent.stop('SIGKILL');
    const killedMs = Date.now();
    const answers = await untilServed(10_000);
    expect(answers.at(-1)?.status).toBe(200);
    expect(Date.now() - killedMs).toBeLessThan(2_000);
    const lost = await sent;
    expect({ status: lost.status, inTime: lost.tookMs < TOLD_MS }).toEqual({ status: 503, inTime: true });
    await start(name);
    const startedMs = Date.now();
    await until('the unknown outcome', 10_000, async () => {
      const lines = await auditLines(cluster);
      const intent = requestsIn(lines, 'intent').findLast(({ operation }) => operation === 'PutItem');
      return requestsIn(lines, 'outcome').find(({ request_id, outcome }) => request_id === intent?.request_id && outcome === 'unknown');
    });
    expect(Date.now() - startedMs).toBeLessThan(10_000);
    expect(puts() - before).toBe(1);
  });

  it.each([
    ['F-29 an agent cut off both ways', {}],
    ['F-30 an agent whose words do not arrive (agent to proxy)', { way: 'up' }],
    ['F-30 an agent that does not hear (proxy to agent)', { way: 'down' }],
  ] as const)('%s: told in 5 s, the other agent serves, the tunnel is dropped in 30 s and comes back in 15', async (_title, way) => {
    const { agent, link } = await serving();
    const flying = new Load(port, { connections: 2 });
    load = flying;
    await pause(300);
    const host = cluster.authHost ?? expect.fail('the proxy does not run');
    await cutOff({ way, agent, link, host, load: flying, settled: () => flying.stop() });
  });

  it('F-33 200 ± 100 ms of latency, then 3 % of packets lost: every request is answered, and none is sent twice', async () => {
    for (const link of links.values()) await link.set({ mode: 'delay', ms: 100, jitterMs: 50 });
    const before = cluster.dynamoDbAtAws().length;
    const slow = await Promise.all(Array.from({ length: 60 }, (_, n) => putItem(port, `slow-${n}`, `value-${n}`)));
    for (const link of links.values()) await link.heal();
    const dropping = [...links.values()].map(({ port: to }) => [
      'INPUT',
      '-i',
      'lo',
      '-p',
      'tcp',
      '--dport',
      String(to),
      '-m',
      'statistic',
      '--mode',
      'random',
      '--probability',
      '0.03',
      '-j',
      'DROP',
    ]);
    for (const rule of dropping) await must(['iptables', '-A', ...rule]);
    const lossy: Answer[] = [];
    try {
      for (let n = 0; n < 10; n += 1) lossy.push(...(await Promise.all(Array.from({ length: 10 }, () => getItem(port)))));
    } finally {
      for (const rule of dropping) await must(['iptables', '-D', ...rule]);
    }
    for (const [n, { status }] of slow.entries()) if (status === 200) aftermath.ledger.item(`slow-${n}`, `value-${n}`);
    expect([...slow, ...lossy].filter(({ status }) => status !== 200).map(({ status, body }) => `${status} ${body}`)).toEqual([]);
    expect(cluster.dynamoDbAtAws().length - before).toBe(slow.length + lossy.length);
  });

  it('F-34 a wire of 1 Mbit/s that an upload fills: the tunnel is not taken for dead, and small requests beside it are answered', async () => {
    const { link } = await serving();
    const said = cluster.authHost?.log().length ?? 0;
    await link.set({ mode: 'throttle', bytesPerSecond: 125_000 });
    load = new Load(port, { connections: 1, pauseMs: 500 });
    const beside = load;
    const value = 'x'.repeat(4_000_000);
    const bulk = await call(
      port,
      'PutItem',
      { TableName: 'faults', Item: { id: { S: 'bulk' }, value: { S: value } } },
      { withinMs: 80_000 },
    );
    // DynamoDB's own answer, for an item that is too large, once all of it has arrived.
    expect({ status: bulk.status, body: bulk.body }).toMatchObject({ status: 400, body: expect.stringContaining('size') as unknown });
    // The wire was the limit, or the case has tried nothing.
    expect(bulk.tookMs).toBeGreaterThan(20_000);
    const answers = await beside.stop();
    expect(answers.length).toBeGreaterThan(5);
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
    expect(cluster.authHost?.log().slice(said)).not.toMatch(/detached/);
  }, 120_000);

  it('F-35 a wire that swallows large packets: whoever sends one is told within 60 s, and the other agent serves', async () => {
    const { link } = await serving();
    const swallowing = ['--dport', '--sport'].map((end) =>
      `INPUT -i lo -p tcp ${end} ${link.port} -m length --length 1200:65535 -j DROP`.split(' '),
    );
    for (const rule of swallowing) await must(['iptables', '-A', ...rule]);
    try {
      const item = { id: { S: 'stuck' }, value: { S: 'x'.repeat(50_000) } };
      const stuck = await call(port, 'PutItem', { TableName: 'faults', Item: item }, { withinMs: 70_000 });
      expect({ status: stuck.status, inTime: stuck.tookMs < 60_000 }).toEqual({ status: 503, inTime: true });
      expect((await untilServed(15_000)).at(-1)?.status).toBe(200);
    } finally {
      for (const rule of swallowing) await must(['iptables', '-D', ...rule]);
    }
  }, 120_000);

  it('F-24 F-25 a certificate that expires while a request, an answer and an upload are under way: cut within 5 s by the agent itself', async () => {
    await stage.role('brief', '12s');
    await stage.user('bea', 'brief');
    const brief = await cluster.openTunnel('bea');
    expect((await getItem(brief.port)).status).toBe(200);
    await cluster.awsFault('GetItem', { delayMs: 60_000, times: 1 });
    const waiting = getItem(brief.port);
    const upload = request({
      host: '127.0.0.1',
      port: brief.port,
      method: 'POST',
      headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'DynamoDB_20120810.PutItem', 'content-length': 1000 },
    });
    upload.on('error', () => undefined);
    upload.write('{"TableName":');
    await pause(1_000);
    const session = await until('its certificate', 5_000, async () =>
      (await auditLines(cluster)).findLast(
        ({ event, user, expires }) => event === 'cert.create' && user === 'bea' && expires !== undefined,
      ),
    );
    // The person's own program is stopped: what ends the session now is the agent.
    brief.daemon.child.kill('SIGSTOP');
    const untilMs = Date.parse(session.expires ?? '') + 5_000;
    const ended = await until('the end of the session', 30_000, async () =>
      (await auditLines(cluster)).find(({ event, sid }) => event === 'db.session.end' && sid === session.sid),
    );
    expect(Date.parse(ended.time)).toBeLessThan(untilMs);
    expect(ended).toMatchObject({ reason: 'expired' });
    const outcome = requestsIn(await auditLines(cluster), 'outcome').findLast(({ sid }) => sid === session.sid);
    expect(outcome).toMatchObject({ outcome: 'unknown', operation: 'GetItem' });
    expect(Date.parse(outcome?.time ?? '')).toBeLessThan(untilMs);
    brief.daemon.child.kill('SIGCONT');
    expect((await waiting).status).not.toBe(200);
    expect(await brief.daemon.exited).toBe(3);
    upload.destroy();
  });

  it('after all of it nothing is lost', async () => {
    await stage.recovers(port, 15_000);
    await aftermath.check({ port });
  });
});
