import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Cluster, ROLE } from '@postern/test-harness/cluster.ts';
import { type Daemon, freePort } from '@postern/test-harness/processes.ts';
import { DATABASE } from '@postern/test-harness/stage.ts';

const library = ['x86_64', 'aarch64']
  .map((arch) => `/usr/lib/${arch}-linux-gnu/faketime/libfaketime.so.1`)
  .find((file) => existsSync(file));

/** Everything is as it was so long after a clock is right again. */
export const BACK_MS = 60_000;

/** The wall clocks of a cluster's hosts, each set while its process runs; the monotonic clocks are nobody's to set. */
export class Clocks {
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  set(host: string, offset: `${'+' | '-'}${number}${'' | 'm' | 'h'}`): void {
    writeFileSync(this.#fileOf(host), `${offset}\n`);
  }

  /** What a process on this host is started with. */
  envOf(host: string): NodeJS.ProcessEnv {
    this.set(host, '+0');
    return {
      LD_PRELOAD: library ?? '',
      FAKETIME_TIMESTAMP_FILE: this.#fileOf(host),
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
  }

  /** `tsh proxy db --tunnel` of a person, on a machine whose clock has the person's name. */
  async tunnel(person: string): Promise<{ readonly port: number; readonly daemon: Daemon }> {
    const port = await freePort();
    const daemon = this.#cluster.daemon(
      `tunnel-${person}-${port}`,
      ['tsh', 'proxy', 'db', '--tunnel', '--port', String(port), `--db-user=${ROLE}`, DATABASE],
      { TELEPORT_HOME: this.#cluster.homeOf(person), ...this.envOf(person) },
    );
    await daemon.says(new RegExp(`(127\\.0\\.0\\.1|localhost):${port}`));
    return { port, daemon };
  }

  /** When this person's login ends, as the right clock has it. */
  async loginEndsMs(person: string): Promise<number> {
    const { active } = JSON.parse(await this.#cluster.mustSh('tsh status --format=json', { person })) as {
      active: { valid_until: string };
    };
    return Date.parse(active.valid_until);
  }

  #fileOf(host: string): string {
    return join(this.#cluster.dir, `${host}.clock`);
  }
}
