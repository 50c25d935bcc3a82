import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aftermath } from '@postern/test-harness/aftermath.ts';
import { PASSWORD } from '@postern/test-harness/cluster.ts';
import { must, until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { SwarmStage } from '@postern/test-harness/swarm/swarm-stage.ts';
import { loadOf } from '@postern/test-harness/process-load.ts';

const cannot = lacking('openssl', 'iptables');
const AGENTS = 1_000;
const LOGIN_MS = 2_000;
/** Tunnels, on which people's requests wait. Who watches auth again besides comes after them (docs/decisions/0011). */
const TUNNELS_BACK_MS = 15_000;

describe.skipIf(cannot !== undefined)('a thousand agents on one proxy', () => {
  const stage = new SwarmStage();
  let aftermath: Aftermath;
  beforeAll(async () => {
    await stage.open(AGENTS);
    // No AWS stands behind these agents, and nobody asks them for anything: of all that reached it nothing is missing in the log.
    writeFileSync(stage.cluster.rawLogFile, '');
    aftermath = await Aftermath.before(stage.cluster);
    aftermath.ledger.resource('users', 'admin');
  }, 600_000);
  afterAll(() => stage.close());

  it('F-41 cost the proxy and auth next to nothing while they are idle', async () => {
    for (const [part, share] of [
      ['proxy', 0.05],
      ['auth', 0.1],
    ] as const) {
      const idle = await stage.idle(part, 15_000);
      console.log(part, idle);
      expect(idle.rssKibPerAgent).toBeLessThan(350);
      expect(idle.cpuShare).toBeLessThan(share);
    }
  });

  it.each([
    ['F-05 the proxy killed', 'proxy', 'SIGKILL'],
    ['F-40 the proxy restarted', 'proxy', 'SIGTERM'],
    ['F-40 auth killed', 'auth', 'SIGKILL'],
  ] as const)('%s: all are back soon after, and an administrator signs in meanwhile', async (title, part, signal) => {
    const name = `before-${title.replaceAll(/\W+/g, '-')}`.toLowerCase();
    await stage.cluster.admin(`tctl users add ${name} --roles=editor --password-stdin`, { input: `${PASSWORD}\n` });
    aftermath.ledger.resource('users', name);
    const { tunnelsBackMs, allBackMs, loginMs, loginsFailed } = await stage.restart(part, signal, 30_000 * stage.busyness);
    console.log(part, signal, { tunnelsBackMs, allBackMs, loginMs, loginsFailed, busyness: stage.busyness });
    expect(tunnelsBackMs).toBeLessThan(TUNNELS_BACK_MS * stage.busyness);
    expect(loginsFailed).toBe(0);
    expect(Math.max(...loginMs)).toBeLessThan(LOGIN_MS * stage.busyness);
  });

  it('F-31 are given up within a minute when they vanish without a word, with what they held', async () => {
    // Nothing of theirs arrives any more, and nothing reaches them: no FIN, no RST, no ACK.
    const swallowing = ['--dport', '--sport'].map((at) => [
      'INPUT',
      '-i',
      'lo',
      '-p',
      'tcp',
      at,
      `${stage.cluster.proxyPort}`,
      '-j',
      'DROP',
    ]);
    const pid = stage.daemonOf('proxy').child.pid ?? 0;
    const before = loadOf(pid).descriptors;
    expect(before).toBeGreaterThan(2 * AGENTS);
    for (const rule of swallowing) await must(['iptables', '-A', ...rule]);
    try {
      await until('every tunnel and every descriptor to be given up', 60_000, async () =>
        loadOf(pid).descriptors < 100 && (await stage.cluster.metrics('proxy')).get('postern_proxy_tunnels_attached') === 0
          ? true
          : undefined,
      );
    } finally {
      for (const rule of swallowing) await must(['iptables', '-D', ...rule]);
    }
    await stage.swarm.allReady(60_000 * stage.busyness);
  });

  it('after all of it nothing is lost', async () => {
    await aftermath.check();
  });
});
