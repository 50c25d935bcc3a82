import { type ChildProcess, fork } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import { join } from 'node:path';
import type { Cluster } from '#cluster.ts';
import { until } from '#processes.ts';
import type { Counted, Order } from '#swarm/swarm-process.ts';

/** Two tunnels' worth of descriptors and timers each: one process holds so many without being what is measured. */
const AGENTS_PER_PROCESS = 1_250;
const COUNT_EVERY_MS = 1_000;
/** An agent has a heap of its own. A thousand in one made its marking a third of what the swarm takes of the processors. */
const AS_IF_ALONE = ['--external-memory-accounted-in-global-limit', '--initial-old-space-size=4000'];

/** Many agents, each with an identity of its own, in a few processes. Agent i serves the database `swarm-i`. */
export class Swarm {
  readonly #processes: ChildProcess[] = [];
  readonly #cluster: Cluster;
  #next = 0;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** Joins and attaches so many more. */
  async grow(count: number): Promise<void> {
    const names = Array.from({ length: count }, (_, i) => `swarm-${this.#next + i}`);
    this.#next += count;
    const place = { proxy: this.#cluster.proxy, authServer: this.#cluster.authAddress };
    const adminFile = join(this.#cluster.dir, 'auth', 'proc', 'admin.json');
    const parts = Array.from({ length: Math.ceil(count / AGENTS_PER_PROCESS) }, (_, i) =>
      names.slice(i * AGENTS_PER_PROCESS, (i + 1) * AGENTS_PER_PROCESS),
    );
    await Promise.all(
      parts.map((part) => {
        const child = fork(join(import.meta.dirname, 'swarm-process.ts'), {
          execArgv: AS_IF_ALONE,
          stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
        });
        this.#processes.push(child);
        // Agents stand on hosts of their own, and take no processor of those that are measured.
        if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_BELOW_NORMAL);
        return ask(child, { act: 'start', place, adminFile, names: part });
      }),
    );
  }

  get pids(): readonly number[] {
    return this.#processes.flatMap(({ pid }) => pid ?? []);
  }

  async count(): Promise<Counted> {
    const all = await Promise.all(this.#processes.map((child) => ask(child, { act: 'count' }) as Promise<Counted>));
    const reasons: Record<string, number> = {};
    for (const one of all) for (const [reason, n] of Object.entries(one.reasons)) reasons[reason] = (reasons[reason] ?? 0) + n;
    return { agents: sum(all.map(({ agents }) => agents)), ready: sum(all.map(({ ready }) => ready)), reasons };
  }

  /** Resolves after how many milliseconds all of them stood. */
  async allReady(withinMs: number): Promise<number> {
    const startedMs = performance.now();
    let last: Counted | undefined;
    await until('every agent of the swarm to stand', withinMs, async () => {
      last = await this.count();
      if (last.ready === last.agents) return true;
      // Asking thousands of agents takes the processors that they need to come back.
      await new Promise((resolve) => setTimeout(resolve, COUNT_EVERY_MS));
      return undefined;
    }).catch((error: unknown) => {
      throw new Error(JSON.stringify(last), { cause: error });
    });
    return performance.now() - startedMs;
  }

  async stop(): Promise<void> {
    for (const child of this.#processes.splice(0)) child.kill('SIGKILL');
  }
}

function ask(child: ChildProcess, order: Order): Promise<object> {
  return new Promise((resolve, reject) => {
    const gone = () => reject(new Error('a process of the swarm has ended'));
    child.once('exit', gone);
    child.once('message', (answer: object) => {
      child.off('exit', gone);
      if ('failed' in answer) reject(new Error(String(answer.failed)));
      else resolve(answer);
    });
    child.send(order);
  });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0);
}
