import { spawnSync } from 'node:child_process';
import { appendFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Daemon } from '@postern/test-harness/processes.ts';

// A mount namespace of the agent's own: its small disk is gone when it is.
const unshare = [['-m'], ['-rm']].find((flags) => spawnSync('unshare', [...flags, 'true']).status === 0);
const reason = 'a disk of 16 MiB cannot be mounted: allow unshare -rm (kernel.unprivileged_userns_clone), or run as root';
if (unshare === undefined && (process.env['CI'] !== undefined || process.env['REQUIRE_ALL'] !== undefined)) throw new Error(reason);
if (unshare === undefined) console.warn(`skipped: ${reason}`);

export const canMountSmallDisk = unshare !== undefined;

/** The data_dir of one agent as a disk of 16 MiB, which only the agent sees. */
export class SmallDisk {
  readonly data: string;

  constructor(data: string) {
    this.data = data;
  }

  /** A command that starts the agent, before its own. */
  get under(): readonly string[] {
    const script = 'mkdir -p "$0" && mount -t tmpfs -o size=16m tmpfs "$0" && exec "$@"';
    return ['unshare', ...(unshare ?? []), 'sh', '-c', script, this.data];
  }

  fill(agent: Daemon): void {
    try {
      appendFileSync(this.#filler(agent), Buffer.alloc(16 * 1024 * 1024, 'x'));
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' });
    }
  }

  makeRoom(agent: Daemon): void {
    rmSync(this.#filler(agent));
  }

  /** As the agent sees it, for nobody else does. */
  #filler({ child }: Daemon): string {
    return join(`/proc/${child.pid}/root${this.data}`, 'filler');
  }
}
