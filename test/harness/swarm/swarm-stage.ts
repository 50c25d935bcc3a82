import { busyness } from '#busyness.ts';
import { Cluster, PASSWORD } from '#cluster.ts';
import { type Daemon, until } from '#processes.ts';
import { Swarm } from '#swarm/swarm.ts';
import { cpuShare, loadOf } from '#process-load.ts';

export interface Idle {
  readonly rssMiB: number;
  readonly rssKibPerAgent: number;
  /** Of one processor. */
  readonly cpuShare: number;
  readonly loopLagP99Ms: number;
}

export interface Storm {
  /** From the restart until every agent has its tunnel, and people reach what it serves. */
  readonly tunnelsBackMs: number;
  /** Until each watches auth again besides. */
  readonly allBackMs: number;
  /** Of `tsh login`, again and again meanwhile; a try that failed counts as what it took, and is told apart. */
  readonly loginMs: readonly number[];
  readonly loginsFailed: number;
}

/** Two administrators in turn: nobody may sign in more than five times in half a minute. */
const ADMINS = ['admin', 'admin-too'];
const LOGIN_EVERY_MS = 4_000;
const LOOK_EVERY_MS = 250;

/** A cluster with its proxy apart and a swarm attached to it. */
export class SwarmStage {
  readonly cluster = new Cluster();
  readonly swarm = new Swarm(this.cluster);
  #empty: Readonly<Record<'auth' | 'proxy', number>> = { auth: 0, proxy: 0 };
  #agents = 0;

  async open(agents: number): Promise<void> {
    const { cluster, swarm } = this;
    await cluster.start({ apart: true });
    for (const name of ADMINS) await cluster.admin(`tctl users add ${name} --roles=editor --password-stdin`, { input: `${PASSWORD}\n` });
    this.#empty = { auth: this.#usage('auth').rssMiB, proxy: this.#usage('proxy').rssMiB };
    this.#agents = agents;
    await swarm.grow(agents);
    await swarm.allReady(120_000);
  }

  async close(): Promise<void> {
    await this.swarm.stop();
    await this.cluster.stop();
  }

  /** How much longer than on a machine of its own everything takes here. */
  get busyness(): number {
    return busyness();
  }

  daemonOf(part: 'auth' | 'proxy'): Daemon {
    const daemon = part === 'auth' ? this.cluster.authHost : this.cluster.proxyHost;
    if (!daemon) throw new Error(`${part} was not started`);
    return daemon;
  }

  async idle(part: 'auth' | 'proxy', overMs: number): Promise<Idle> {
    await this.cluster.metrics(part);
    const share = await cpuShare(this.daemonOf(part).child.pid ?? 0, overMs);
    const { rssMiB } = this.#usage(part);
    const lag = (await this.cluster.metrics(part)).get('nodejs_eventloop_lag_p99_seconds') ?? Number.NaN;
    const rssKibPerAgent = ((rssMiB - this.#empty[part]) * 1024) / this.#agents;
    return { rssMiB, rssKibPerAgent, cpuShare: share, loopLagP99Ms: lag * 1000 };
  }

  /** Ends a process, starts it again, and waits until every agent stands while an administrator keeps signing in. */
  async restart(part: 'auth' | 'proxy', signal: 'SIGKILL' | 'SIGTERM', withinMs: number): Promise<Storm> {
    const { cluster, swarm } = this;
    await this.daemonOf(part).stop(signal);
    const startedMs = performance.now();
    if (part === 'auth') cluster.startAuthHost();
    else cluster.startProxyHost();
    await this.#answers(part);
    const over = new AbortController();
    const logins = (async () => {
      const tookMs: number[] = [];
      let failed = 0;
      while (!over.signal.aborted || tookMs.length === 0) {
        const fromMs = performance.now();
        await cluster.signIn(ADMINS[tookMs.length % ADMINS.length]).catch(() => (failed += 1));
        tookMs.push(performance.now() - fromMs);
        await new Promise((resolve) => setTimeout(resolve, LOGIN_EVERY_MS));
      }
      return { loginMs: tookMs, loginsFailed: failed };
    })();
    try {
      await this.#holds('proxy', 'postern_proxy_tunnels_attached', withinMs);
      const tunnelsBackMs = performance.now() - startedMs;
      // An agent goes on for a while with what auth said last, so that auth is asked who is there.
      await this.#holds('auth', 'postern_auth_connections', withinMs);
      await swarm.allReady(withinMs);
      const allBackMs = performance.now() - startedMs;
      over.abort();
      return { tunnelsBackMs, allBackMs, ...(await logins) };
    } finally {
      over.abort();
      await logins;
    }
  }

  /** Until a process counts every agent. */
  async #holds(part: 'auth' | 'proxy', gauge: string, withinMs: number): Promise<void> {
    await until(`${gauge} of all agents`, withinMs, async () => {
      if (((await this.cluster.metrics(part)).get(gauge) ?? 0) >= this.#agents) return true;
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
      return undefined;
    });
  }

  /** Until a process that was started again tells of itself. */
  async #answers(part: 'auth' | 'proxy'): Promise<void> {
    await until(`${part} to answer`, 30_000, () => this.cluster.metrics(part).catch(() => undefined));
    await this.cluster.proxyIsReady();
  }

  #usage(part: 'auth' | 'proxy') {
    return loadOf(this.daemonOf(part).child.pid ?? 0);
  }
}
