import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { limits } from '@postern/limits';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aftermath } from '@postern/test-harness/aftermath.ts';
import { auditLines, requestsIn } from '@postern/test-harness/check-audit.ts';
import { PASSWORD } from '@postern/test-harness/cluster.ts';
import { getItem, Load, putItem } from '@postern/test-harness/load.ts';
import { type Daemon, must, run, until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { Stage } from '@postern/test-harness/stage.ts';

const cannot = lacking('openssl', 'tmpfs');
const BACK_MS = 5_000;

describe.skipIf(cannot !== undefined)('a host runs out of something', () => {
  const stage = new Stage();
  const { cluster } = stage;
  const volumes: string[] = [];
  let aftermath: Aftermath;
  let one: Daemon;
  let port = 0;

  const volume = async (path: string, size: string) => {
    mkdirSync(path, { recursive: true });
    await must(['mount', '-t', 'tmpfs', '-o', `size=${size},mode=700`, 'tmpfs', path]);
    volumes.push(path);
  };
  /** Takes all that is left of a volume; returns what gives it back. */
  const fill = async (path: string) => {
    const file = join(path, 'filler');
    await run(['dd', 'if=/dev/zero', `of=${file}`, 'bs=4k']);
    return () => rmSync(file);
  };
  const addUser = (name: string) =>
    cluster.sh(`tctl -c ${cluster.authConfig} users add ${name} --roles=dynamo --password-stdin`, {
      person: 'nobody',
      input: `${PASSWORD}\n`,
      timeoutMs: 20_000,
    });

  beforeAll(async () => {
    await volume(join(cluster.dir, 'auth'), '64m');
    await volume(join(cluster.dir, 'one', 'data'), '16m');
    await stage.open();
    one = stage.agent('one');
    await stage.attached(one);
    port = (await stage.tunnel()).port;
    aftermath = await Aftermath.before(cluster);
  });
  afterAll(async () => {
    for (const daemon of cluster.running()) await daemon.stop();
    for (const path of volumes) await run(['umount', '-l', path]);
    await cluster.stop();
  });

  it('F-18 the agent’s volume is full: requests are refused with the reason, nothing reaches AWS, the tunnel stays; back in 5 s', async () => {
    const free = await fill(join(cluster.dir, 'one', 'data'));
    const refused = await until('a refusal', 20_000, async () => {
      const answer = await putItem(port, 'no-room', 'x');
      return answer.status === 200 ? undefined : answer;
    });
    expect(refused).toMatchObject({ status: 503, body: expect.stringMatching(/audit/) as unknown });
    const atAws = cluster.dynamoDbAtAws().length;
    for (let n = 0; n < 10; n += 1) expect((await getItem(port)).status).toBe(503);
    expect(cluster.dynamoDbAtAws().length).toBe(atAws);
    expect(one.child.exitCode).toBeNull();
    free();
    expect(await stage.recovers(port, BACK_MS)).toBeLessThan(BACK_MS);
    expect(one.log()).not.toMatch(/state=waiting/);
  });

  it('F-17 auth’s volume is full: what an administrator does is refused before it has an effect; requests go on; back in 5 s', async () => {
    const free = await fill(join(cluster.dir, 'auth'));
    const load = new Load(port, { connections: 2 });
    let refused = 0;
    for (let n = 0; n < 5; n += 1) {
      const { code, stderr } = await addUser(`full-${n}`);
      if (code === 0) aftermath.ledger.resource('users', `full-${n}`);
      else {
        refused += 1;
        expect(stderr.trim().split('\n').length).toBeLessThanOrEqual(2);
      }
    }
    const answers = await load.stop();
    free();
    const freedMs = Date.now();
    expect(refused).toBeGreaterThan(0);
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
    await until('a user to be made', BACK_MS + 5_000, async () => ((await addUser('after-it')).code === 0 ? true : undefined));
    expect(Date.now() - freedMs).toBeLessThan(BACK_MS + 2_000);
    aftermath.ledger.resource('users', 'after-it');
  });

  it('F-50 the agent has 64 descriptors left: what finds none is refused in words, the rest goes on, and it is back in 5 s', async () => {
    const open = Number((await must(['bash', '-c', `ls /proc/${one.child.pid}/fd | wc -l`])).trim());
    await must(['prlimit', `--pid=${one.child.pid}`, `--nofile=${open + 64}:4096`]);
    await cluster.awsFault('GetItem', { delayMs: 1_500 });
    const answers = await Promise.all(Array.from({ length: 150 }, () => getItem(port)));
    await cluster.awsFault('GetItem', undefined);
    await must(['prlimit', `--pid=${one.child.pid}`, '--nofile=4096:4096']);
    const byStatus = Map.groupBy(answers, ({ status }) => status);
    expect([...byStatus.keys()].filter((status) => status !== 200 && status !== 503)).toEqual([]);
    expect(byStatus.get(200)?.length ?? 0).toBeGreaterThan(30);
    // Each is told why, and the audit log holds the same words.
    const refused = byStatus.get(503) ?? [];
    expect(refused.filter(({ body }) => !/AWS could not be reached: connect EMFILE/.test(body))).toEqual([]);
    await until('the log of what was refused', 10_000, async () => {
      const outcomes = requestsIn(await auditLines(cluster), 'outcome');
      return outcomes.filter((line) => line.outcome === 'not_sent' && JSON.stringify(line).includes('"error":"connect EMFILE')).length ===
        refused.length
        ? true
        : undefined;
    });
    expect(refused.length).toBeGreaterThan(30);
    expect(await stage.recovers(port, BACK_MS)).toBeLessThan(BACK_MS);
  });

  it('F-50 the proxy and auth have 64 descriptors left: new connections wait or fail, open ones go on, and they are back in 5 s', async () => {
    const { pid } = cluster.authHost?.child ?? {};
    const open = Number((await must(['bash', '-c', `ls /proc/${pid}/fd | wc -l`])).trim());
    await must(['prlimit', `--pid=${pid}`, `--nofile=${open + 64}:4096`]);
    const sockets = Array.from({ length: 150 }, () => connect(cluster.proxyPort, '127.0.0.1').on('error', () => undefined));
    await pause(500);
    for (let n = 0; n < 10; n += 1) expect((await getItem(port)).status).toBe(200);
    for (const socket of sockets) socket.destroy();
    await must(['prlimit', `--pid=${pid}`, '--nofile=4096:4096']);
    const freedMs = Date.now();
    await cluster.signIn('alice');
    expect(Date.now() - freedMs).toBeLessThan(BACK_MS);
  });

  it.each([
    ['the proxy', () => cluster.proxyPort],
    ['auth', () => Number(cluster.authAddress.split(':').at(-1))],
  ])(
    'F-39 %s stands still for a moment: so many who knock are kept, and the next one’s SYN is dropped, to be tried again after 1, 3 and 7 s [limit listenBacklog]',
    async (_part, portOf) => {
      const { child } = cluster.authHost ?? expect.fail('auth and the proxy are not running');
      const sockets: Socket[] = [];
      let kept = 0;
      const knock = () => sockets.push(connect(portOf(), '127.0.0.1', () => (kept += 1)).on('error', () => undefined));
      child.kill('SIGSTOP');
      try {
        for (let n = 0; n < limits.listenBacklog; n += 1) knock();
        await until('those who knock to be kept', 900, () => (kept === limits.listenBacklog ? true : undefined));
        // The kernel takes one more than it is told.
        for (let n = 0; n < 4; n += 1) knock();
        await pause(300);
        expect(kept).toBe(limits.listenBacklog + 1);
      } finally {
        child.kill('SIGCONT');
        for (const socket of sockets) socket.destroy();
      }
      expect(await stage.recovers(port, BACK_MS)).toBeLessThan(BACK_MS);
      await cluster.signIn('alice');
    },
  );

  it('F-19 nobody reads what the agent prints: it keeps serving, and stops when it is asked to', async () => {
    const said = one.log().length;
    await one.stop();
    // The pipe is full but for some hundred bytes before the first line, and whoever holds its other end only sleeps.
    const unread = 'exec > >(exec sleep 60) 2>&1; head -c 65000 /dev/zero';
    const quiet = cluster.daemon(
      'one-unread',
      ['bash', '-c', `${unread}; exec teleport start -d -c ${join(cluster.dir, 'one', 'teleport.yaml')}`],
      {
        AWS_ENDPOINT_URL: cluster.emulatorUrl,
        AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
        AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
      },
    );
    await stage.recovers(port, 30_000);
    for (let n = 0; n < 5; n += 1) {
      const answers = await Promise.all(Array.from({ length: 50 }, () => getItem(port)));
      expect(answers.filter(({ status, tookMs }) => status !== 200 || tookMs > 5_000)).toEqual([]);
    }
    expect(quiet.child.exitCode).toBeNull();
    const stoppedMs = Date.now();
    // A service that waited for its reader to the end was one that had to be killed.
    expect(await quiet.stop()).toBe(0);
    expect(Date.now() - stoppedMs).toBeLessThan(10_000);
    one = stage.agent('one', { token: false });
    await stage.attached(one, said);
    await stage.recovers(port, 20_000);
  });

  it.each([
    ['cut to nothing', (file: string) => truncateSync(file, 0)],
    ['garbage', (file: string) => writeFileSync(file, 'not JSON, and a secret: hunter2')],
  ])('F-57 the agent’s identity is %s: it does not start, says which file, and prints nothing of it', async (_what, damage) => {
    const home = join(cluster.dir, 'damaged');
    mkdirSync(home, { recursive: true });
    await must(['cp', '-a', join(cluster.dir, 'one', 'data'), join(home, 'data')]);
    damage(join(home, 'data', 'proc', 'db.json'));
    const agent = stage.agent('damaged');
    const code = await agent.exited;
    const log = agent.log();
    rmSync(home, { recursive: true });
    expect(code).toBe(1);
    expect(log).toContain('db.json');
    expect(log).not.toContain('hunter2');
    expect(log).not.toContain(stage.token);
  });

  it('after all of it nothing is lost', async () => {
    await aftermath.check({ port });
  });
});
