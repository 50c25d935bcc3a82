import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster, PASSWORD } from '@postern/test-harness/cluster.ts';
import { type Daemon, freePort, until } from '@postern/test-harness/processes.ts';
import { Ledger } from '@postern/test-harness/ledger.ts';
import { lacking } from '@postern/test-harness/programs.ts';

const flags = [['-m'], ['-rm']].find((candidate) => spawnSync('unshare', [...candidate, 'true']).status === 0);
const needs = 'a small disk cannot be mounted: allow unshare -rm (kernel.unprivileged_userns_clone), or run as root';
if (flags === undefined && (process.env['CI'] !== undefined || process.env['REQUIRE_ALL'] !== undefined)) throw new Error(needs);
if (flags === undefined) console.warn(`skipped: ${needs}`);

/** A cluster whose audit log has a disk of 64 MiB, in a mount namespace of auth's own. */
class SmallVolume extends Cluster {
  diagnostics = 0;
  readonly volume = join(this.dir, 'audit-volume');

  override startAuthHost(): Daemon {
    mkdirSync(this.volume, { recursive: true });
    const script = 'mount -t tmpfs -o size=64m tmpfs "$0" && exec teleport start -c "$1" --diag-addr "$2"';
    const start = ['sh', '-c', script, this.volume, this.authConfig, `127.0.0.1:${this.diagnostics}`];
    this.authHost = this.daemon('auth-host', ['unshare', ...(flags ?? []), ...start]);
    return this.authHost;
  }

  /** The volume as auth sees it. */
  get inside(): string {
    return `/proc/${this.authHost?.child.pid ?? 'none'}/root${this.volume}`;
  }

  /** Up to so much of the volume; 100 takes the last byte. */
  fill(percent: number): void {
    const chunk = Buffer.alloc(64 * 1024, 1);
    const file = openSync(join(this.inside, 'filler'), 'a');
    try {
      for (;;) {
        const { blocks, bavail } = statfsSync(this.inside);
        if (percent < 100 && 100 * (1 - bavail / blocks) >= percent) return;
        writeSync(file, chunk);
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    } finally {
      closeSync(file);
    }
  }

  async readyz(): Promise<{ readonly status: number; readonly body: string }> {
    const answer = await fetch(`http://127.0.0.1:${this.diagnostics}/readyz`);
    return { status: answer.status, body: await answer.text() };
  }
}

describe.skipIf(flags === undefined || lacking('openssl') !== undefined)('F-17 the audit volume of auth is full', () => {
  const cluster = new SmallVolume();
  const ledger = new Ledger();
  const addUser = (name: string) =>
    cluster.sh(`tctl -c ${cluster.authConfig} users add ${name} --roles=access --password-stdin`, { input: `${PASSWORD}\n` });

  beforeAll(async () => {
    cluster.diagnostics = await freePort();
    await cluster.start({ storage: ['type: sqlite', `audit_events_uri: ["file://${cluster.volume}/log"]`] });
    expect((await addUser('alice')).code).toBe(0);
  });
  afterAll(() => cluster.stop());

  it.each([80, 90])('at %i %% it is told: in the log, by /readyz, by tctl status; and everything still works', async (percent) => {
    cluster.fill(percent + 1);
    const alarm = new RegExp(`the volume of the audit log is ${percent / 10}\\d % full, \\d+ MiB are free`);
    await until('the alarm', 10_000, async () => (alarm.test((await cluster.readyz()).body) ? true : undefined));
    expect((await cluster.readyz()).status).toBe(200);
    expect(await cluster.admin('tctl status')).toMatch(alarm);
    expect(cluster.authHost?.log()).toMatch(alarm);
    await cluster.signIn('alice');
  });

  it('when it is full nothing is done, and each refusal says why', async () => {
    cluster.fill(100);
    const sentence = /audit unavailable: the audit log cannot be written: its disk is full, and nothing is done that cannot be recorded/;
    // The last page of the last segment has room for some events yet.
    let added = 0;
    await until('a refusal', 30_000, async () => {
      const { code, stderr } = await addUser(`early-${added}`);
      if (code === 0) {
        ledger.resource('users', `early-${added}`);
        added += 1;
      } else expect(stderr).toMatch(sentence);
      return code === 0 ? undefined : true;
    });
    const before = await cluster.admin('tctl get users,roles,tokens -f json');
    const refused = [
      await addUser('bob'),
      await cluster.sh(`tctl -c ${cluster.authConfig} tokens add --type=db --db-name=x`),
      await cluster.sh(`tctl -c ${cluster.authConfig} lock --user=alice`),
      await cluster.sh(`tsh login --proxy=${cluster.proxy} --user=alice`, { input: `${PASSWORD}\n`, person: 'other' }),
    ];
    for (const { code, stderr } of refused) {
      expect(stderr).toMatch(sentence);
      expect(code).toBe(6);
    }
    expect(await cluster.admin('tctl get users,roles,tokens -f json')).toBe(before);
    expect(await cluster.readyz()).toMatchObject({ status: 503, body: expect.stringContaining('its disk is full') });
  });

  it('it takes acts again within 5 s of there being space, and the log is whole', async () => {
    rmSync(join(cluster.inside, 'filler'));
    const sinceMs = Date.now();
    await until('auth to be ready', 5000, async () => ((await cluster.readyz()).status === 200 ? true : undefined));
    expect((await addUser('bob')).code).toBe(0);
    expect(Date.now() - sinceMs).toBeLessThan(5000);
    expect(await cluster.admin('tctl audit verify')).toMatch(/intact/);
    const made = JSON.parse(await cluster.admin('tctl audit ls --kind user.create -f json')) as { readonly name: string }[];
    expect(made.filter(({ name }) => name === 'bob')).toHaveLength(1);
    expect(await ledger.lost(cluster)).toEqual([]);
  });
});
