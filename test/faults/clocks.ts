import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cluster } from '@postern/test-harness/cluster.ts';

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

  #fileOf(host: string): string {
    return join(this.#cluster.dir, `${host}.clock`);
  }
}
