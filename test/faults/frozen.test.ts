import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PASSWORD } from '@postern/test-harness/cluster.ts';
import { HANG_MS, Load } from '@postern/test-harness/load.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { checkAudit } from '@postern/test-harness/check-audit.ts';
import { Stage } from '@postern/test-harness/stage.ts';

const cannot = lacking('openssl');
const FROZEN_MS = 15_000;

describe.skipIf(cannot !== undefined)('auth frozen, with the proxy on a host of its own', () => {
  const stage = new Stage();
  const { cluster } = stage;
  let load: Load | undefined;

  beforeAll(async () => {
    await stage.open({ apart: true });
    await stage.attached(stage.agent('one'));
  });
  afterAll(async () => {
    cluster.authHost?.child.kill('SIGCONT');
    await load?.stop();
    await cluster.stop();
  });

  it('requests go on, a sign-in fails quickly in a sentence, and the events arrive once auth is back', async () => {
    const { port } = await stage.tunnel();
    load = new Load(port, { connections: 2 });
    const frozenMs = Date.now();
    cluster.authHost?.child.kill('SIGSTOP');
    const said = await cluster.sh(`tsh login --proxy=${cluster.proxy} --user=alice`, {
      person: 'late',
      input: `${PASSWORD}\n`,
      timeoutMs: 30_000,
    });
    const tookMs = Date.now() - frozenMs;
    expect(said.code).toBe(6);
    expect(said.stderr).toMatch(/auth/);
    expect(said.stderr.trim().split('\n').length).toBeLessThanOrEqual(2);
    expect(tookMs).toBeLessThan(12_000);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, FROZEN_MS - (Date.now() - frozenMs))));
    const during = load.since(frozenMs);
    cluster.authHost?.child.kill('SIGCONT');
    expect(during.length).toBeGreaterThan(100);
    expect(during.filter(({ status }) => status !== 200)).toEqual([]);
    await cluster.signIn('alice');
    const answers = await load.stop();
    expect(answers.filter(({ status, tookMs: ms }) => status !== 200 || ms > HANG_MS)).toEqual([]);
    const { intents, unknown } = await checkAudit(cluster);
    expect(intents).toBeGreaterThanOrEqual(answers.length);
    expect(unknown).toBe(0);
  });
});
