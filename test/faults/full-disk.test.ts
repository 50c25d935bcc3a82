import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkAudit } from '@postern/test-harness/check-audit.ts';
import { getItem, HANG_MS } from '@postern/test-harness/load.ts';
import { type Daemon, until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { DATABASE, Stage } from '@postern/test-harness/stage.ts';

// A mount namespace of the agent's own: its small disk is gone when it is.
const unshare = [['-m'], ['-rm']].find((flags) => spawnSync('unshare', [...flags, 'true']).status === 0);
const reason = 'a disk of 16 MiB cannot be mounted: allow unshare -rm (kernel.unprivileged_userns_clone), or run as root';
if (unshare === undefined && (process.env['CI'] !== undefined || process.env['REQUIRE_ALL'] !== undefined)) throw new Error(reason);
if (unshare === undefined) console.warn(`skipped: ${reason}`);
const cannot = lacking('openssl');

describe.skipIf(unshare === undefined || cannot !== undefined)('an agent whose disk is full', () => {
  const stage = new Stage();
  const { cluster } = stage;
  const data = join(cluster.dir, 'small', 'data');
  let agent: Daemon;
  let port = 0;
  /** As the agent sees it, for nobody else does. */
  const filler = () => `/proc/${agent.child.pid}/root${data}/filler`;
  const fill = (): void => {
    try {
      writeFileSync(filler(), Buffer.alloc(16 * 1024 * 1024, 'x'));
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' });
    }
  };

  beforeAll(async () => {
    await stage.open();
    const script = 'mkdir -p "$0" && mount -t tmpfs -o size=16m tmpfs "$0" && exec "$@"';
    agent = stage.agent('small', { under: ['unshare', ...(unshare ?? []), 'sh', '-c', script, data] });
    await stage.attached(agent);
    port = (await stage.tunnel()).port;
  });
  afterAll(() => cluster.stop());

  it('F-18 refuses requests with 503 and a reason that names nothing of its host, sends none of them, and stays in the cluster', async () => {
    const said = agent.log().length;
    fill();
    // The open segment has its zeros in advance: room for a few hundred intents.
    const refused = await until('a request to be refused', 10_000, async () => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => getItem(port)));
      return answers.find(({ status }) => status !== 200);
    });
    expect(refused).toMatchObject({ status: 503, body: expect.stringContaining('the disk on which this agent records requests is full') });
    const sent = cluster.dynamoDbAtAws().length;
    const fullMs = Date.now();
    while (Date.now() - fullMs < 6000) {
      const answer = await getItem(port);
      expect(answer).toMatchObject({ status: 503, body: expect.stringContaining('"__type"') });
      expect(answer.body).not.toMatch(/spool|data|tmp/i);
      expect(answer.tookMs).toBeLessThan(HANG_MS);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(cluster.dynamoDbAtAws()).toHaveLength(sent);
    expect(await cluster.mustSh('tsh db ls', { person: 'alice' })).toContain(DATABASE);
    const log = agent.log().slice(said);
    expect(log.split('requests cannot be recorded')).toHaveLength(2);
    expect(log).toContain(join(data, 'spool'));
    expect(log).not.toContain('tunnel to a proxy');
  });

  it('F-18 serves requests again within 5 s of there being room, and every request that AWS saw is in the log', async () => {
    rmSync(filler());
    expect(await stage.recovers(port, 5000)).toBeLessThan(5000);
    await until('the log to say so', 10_000, async () => {
      await getItem(port);
      return agent.log().includes('requests can be recorded again') || undefined;
    });
    await checkAudit(cluster);
  });
});
