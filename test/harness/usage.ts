import { readdirSync, readFileSync } from 'node:fs';
import { type Daemon, until } from '#processes.ts';

/** What a process holds of the machine. */
export interface Usage {
  readonly descriptors: number;
  readonly anonymousBytes: number;
}

/**
 * Ten in a hundred may stay. Below these floors a difference is no leak: a heap of V8 that nobody presses to shrink, the memory of one
 * argon2id, pools of kept connections.
 */
const SHARE = 1.1;
const FLOOR = { descriptors: 16, anonymousBytes: 96 * 1024 * 1024 } as const;
const SETTLED_MS = 20_000;

export function usageOf(pid: number): Usage {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kib = Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1] ?? 'NaN');
  return { descriptors: readdirSync(`/proc/${pid}/fd`).length, anonymousBytes: kib * 1024 };
}

/** The processes that are alive now, by name, with what each holds. */
export class UsageBefore {
  readonly #before: readonly { readonly daemon: Daemon; readonly usage: Usage }[];

  constructor(daemons: readonly Daemon[]) {
    this.#before = daemons.flatMap((daemon) => (isAlive(daemon) ? [{ daemon, usage: usageOf(daemon.child.pid ?? 0) }] : []));
  }

  /** What each process that still runs holds beyond what it may, in words; empty within the settling time, or after it what stayed. */
  async excess(): Promise<readonly string[]> {
    let found: readonly string[] = [];
    await until('the processes to settle', SETTLED_MS, () => {
      found = this.#before.flatMap((entry) => excessOf(entry));
      return found.length === 0 ? true : undefined;
    }).catch(() => undefined);
    return found;
  }
}

function excessOf({ daemon, usage: before }: { readonly daemon: Daemon; readonly usage: Usage }): string[] {
  if (!isAlive(daemon)) return [];
  const now = usageOf(daemon.child.pid ?? 0);
  return (Object.keys(FLOOR) as (keyof Usage)[]).flatMap((what) =>
    now[what] <= Math.max(before[what] * SHARE, before[what] + FLOOR[what])
      ? []
      : [`${daemon.name} (pid ${daemon.child.pid}): ${before[what]} ${what} before, ${now[what]} now`],
  );
}

export const isAlive = ({ child }: Daemon) => child.exitCode === null && child.signalCode === null;
