import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CertsService, callUnary, JoinService, openDuplex, PresenceService, services } from '@postern/api';
import { generateKey } from '@postern/pki';
import { busyness } from '@postern/test-harness/busyness.ts';
import { dial, type Held } from '@postern/test-harness/dial.ts';
import { getItem } from '@postern/test-harness/load.ts';
import { type Daemon, isAlive, until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { RawChannel } from '@postern/test-harness/raw-call.ts';
import { Stage } from '@postern/test-harness/stage.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AUTH, codeOf, type HeldHost, hostCasOf, TUNNEL } from './held.ts';

const cannot = lacking('openssl', 'faketime');
const library = ['x86_64', 'aarch64']
  .map((arch) => `/usr/lib/${arch}-linux-gnu/faketime/libfaketime.so.1`)
  .find((file) => existsSync(file));
/**
 * A host's certificate lasts a day. Whoever joins when auth's clock is a day behind, but for this, has so much of it. Less than half a minute:
 * an attachment that sends no PING is cut for that.
 */
const LIFE_MS = 1_000 * Math.round(12 * Math.min(1.75, busyness()));
const DAY_S = 24 * 3600;

describe.skipIf(cannot !== undefined)('agents that are none any more', () => {
  const stage = new Stage();
  const { cluster } = stage;
  let hostCas: string[] = [];
  let agent: Daemon;
  let port = 0;
  const clock = join(cluster.dir, 'auth.clock');
  const setClock = (behindSeconds: number) => writeFileSync(clock, `-${behindSeconds}\n`);
  const at = (serverName: string, held: Held) => RawChannel.open({ port: cluster.proxyPort, serverName, hostCaPems: hostCas, held });

  beforeAll(async () => {
    setClock(0);
    const env = {
      LD_PRELOAD: library ?? '',
      FAKETIME_TIMESTAMP_FILE: clock,
      FAKETIME_CACHE_DURATION: '1',
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
    await stage.open({ apart: true, env: { auth: env } });
    hostCas = await hostCasOf(cluster);
    agent = stage.agent('agent');
    await stage.attached(agent);
    ({ port } = await stage.tunnel());
  });
  afterAll(() => cluster.stop());

  it('TN-09 whose certificate ends are cut off within five seconds, and come back by no door', async () => {
    const token = (await cluster.admin('tctl tokens add --type=db --db-name=other --format=text')).trim();
    const key = generateKey();
    const joining = dial(cluster.proxy, AUTH, hostCas);
    await new Promise<void>((resolve, reject) => {
      joining.waitForReady(Date.now() + 10_000, (error) => (error ? reject(error) : resolve()));
    });
    setClock(DAY_S - LIFE_MS / 1000);
    const request = { token, role: 'db', nodeName: 'other', version: '0.1.0', publicKey: key.publicKeyDer };
    const joined = await callUnary(joining, JoinService.join, request).finally(() => setClock(0));
    joining.close();
    const untilMs = joined.validUntilMs;
    expect(untilMs - Date.now()).toBeGreaterThan(LIFE_MS / 2);
    expect(untilMs - Date.now()).toBeLessThanOrEqual(LIFE_MS);
    const brief: Held = { certificatePem: joined.certificatePem, privateKeyPem: key.privateKeyPem };

    const silent = at(TUNNEL, brief);
    const client = dial(cluster.proxy, TUNNEL, hostCas, brief);
    const attached = openDuplex(client, services.reverseTunnel.definition.attach);
    const heard = new Promise<void>((resolve) => attached.once('data', () => resolve()));
    const ended = new Promise<number>((resolve) => {
      for (const event of ['end', 'error'] as const) attached.on(event, () => resolve(Date.now()));
    });
    attached.write({ frame: { $case: 'hello', value: { version: '0.1.0', resourceIds: [], opensLines: true } } });
    await heard;
    const closed = silent.closed().then(() => Date.now());
    for (const endedMs of [await ended, await closed]) {
      expect(endedMs - untilMs).toBeGreaterThan(-1_500);
      expect(endedMs - untilMs).toBeLessThan(5_000 * busyness());
    }
    client.close();
    for (const door of [TUNNEL, AUTH]) {
      const again = at(door, brief);
      expect([door, (await again.call({ path: '/postern.v1.Certs/RenewHostCert' })).kind]).toEqual([door, 'cut']);
    }
    // Nobody else has noticed.
    await stage.recovers(port, 10_000);
    expect(isAlive(agent)).toBe(true);
  });

  it('CA-08 JN-11 because they are locked take every copy of their directory with them', async () => {
    const directory = join(cluster.dir, 'agent', 'data');
    await cluster.mustSh('mkdir copy && cp -a agent/data copy/data');
    const copy = stage.agent('copy', { token: false });
    await stage.attached(copy);
    const stolen = JSON.parse(readFileSync(join(directory, 'proc', 'db.json'), 'utf8')) as HeldHost;
    const asStolen = async (use: (client: ReturnType<typeof dial>) => Promise<unknown>) => {
      const client = dial(cluster.proxy, AUTH, hostCas, stolen);
      return codeOf(use(client)).finally(() => client.close());
    };
    const announces = () =>
      asStolen((client) => callUnary(client, PresenceService.announceServers, { servers: [], nodeName: 'copy', version: '0.1.0' }));
    const renews = () => asStolen((client) => callUnary(client, CertsService.renewHostCert, { publicKey: generateKey().publicKeyDer }));
    expect(await renews()).toBe('ok');
    const tunnel = at(TUNNEL, stolen);
    expect((await getItem(port)).status).toBe(200);

    const seen = [agent, copy].map((daemon) => daemon.log().length);
    await cluster.admin(`tctl lock --server-id=${stolen.hostId}`);
    const lockedMs = Date.now();
    await tunnel.closed();
    await until('neither to serve', 5_000 * busyness(), async () => ((await getItem(port)).status === 200 ? undefined : true));
    expect(Date.now() - lockedMs).toBeLessThan(5_000 * busyness());
    expect(await announces()).toBe('locked');
    expect(await renews()).toBe('locked');
    const again = at(TUNNEL, stolen);
    await again.closed();

    // Started anew they are as locked as before, and neither is attached again.
    await copy.stop();
    const begun = copy.log().length;
    const restarted = stage.agent('copy', { token: false });
    await until('it to be refused', 10_000 * busyness(), () => (/locked|refused/.test(restarted.log().slice(begun)) ? true : undefined));
    for (const [n, daemon] of [agent, copy].entries())
      expect([daemon.name, /state=attached/.test(daemon.log().slice(Math.max(seen[n] ?? 0, daemon === copy ? begun : 0)))]).toEqual([
        daemon.name,
        false,
      ]);
    const before = cluster.dynamoDbAtAws().length;
    expect((await getItem(port)).status).not.toBe(200);
    expect(cluster.dynamoDbAtAws()).toHaveLength(before);
  });
});
