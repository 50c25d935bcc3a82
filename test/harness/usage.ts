import { readdirSync } from 'node:fs';
import { liveBytes } from '#live-bytes.ts';
import { type Daemon, isAlive } from '#processes.ts';

/** What a process holds. */
interface Usage {
  readonly descriptors: number;
  readonly liveBytes: number;
}

/** Ten in a hundred may stay; below these floors a difference is caches that fill and pools of kept connections, and not a leak. */
const SHARE = 1.1;
const FLOOR: Usage = { descriptors: 8, liveBytes: 8 * 1024 * 1024 };
const SETTLED_MS = 20_000;
const LOOK_MS = 1_000;

interface Entry {
  readonly daemon: Daemon;
  readonly usage: Usage;
}

/** The Node processes that are alive now, with what each holds. */
export class UsageBefore {
  readonly #before: readonly Entry[];

  private constructor(before: readonly Entry[]) {
    this.#before = before;
  }

  static async of(daemons: readonly Daemon[]): Promise<UsageBefore> {
    const entries: Entry[] = [];
    for (const daemon of daemons) entries.push({ daemon, usage: await usageOf(daemon) });
    return new UsageBefore(entries);
  }

  /**
   * What each process holds beyond what it may, in words; none as soon as all have settled. One that has ended is judged by the one of
   * its name among `running`, where there is one: it does the same work, and may hold no more for it.
   */
  async excess({
    withinMs = SETTLED_MS,
    running = [],
  }: {
    readonly withinMs?: number;
    readonly running?: readonly Daemon[];
  } = {}): Promise<readonly string[]> {
    const deadline = performance.now() + withinMs;
    for (;;) {
      const found: string[] = [];
      for (const { daemon: then, usage } of this.#before) {
        const daemon = isAlive(then) ? then : running.find(({ name }) => name === then.name);
        if (daemon !== undefined) found.push(...excessOf({ daemon, usage }, await usageOf(daemon)));
      }
      if (found.length === 0 || performance.now() > deadline) return found;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
}

async function usageOf(daemon: Daemon): Promise<Usage> {
  const bytes = await liveBytes(daemon);
  return { descriptors: readdirSync(`/proc/${daemon.child.pid ?? 0}/fd`).length, liveBytes: bytes };
}

function excessOf({ daemon, usage: before }: Entry, now: Usage): string[] {
  return (Object.keys(FLOOR) as (keyof Usage)[]).flatMap((what) =>
    now[what] <= Math.max(before[what] * SHARE, before[what] + FLOOR[what])
      ? []
      : [`${daemon.name} (pid ${daemon.child.pid}): ${before[what]} ${what} before, ${now[what]} now`],
  );
}
