import { join } from 'node:path';
import type { Counters, Fault } from '#chaos/fault.ts';
import type { Cluster } from '#cluster.ts';
import { freePort } from '#processes.ts';

/** One port between two parts of a cluster, told what to do to what passes. */
export interface ChaosLink {
  readonly port: number;
  /** localhost:PORT, as it stands in a teleport.yaml. */
  readonly address: string;
  readonly url: string;
  set(fault: Fault): Promise<Counters>;
  heal(): Promise<Counters>;
  counters(): Promise<Counters>;
}

/** The chaos process of a cluster; it ends with it. */
export class Chaos {
  readonly #control: string;
  #links = 0;

  private constructor(control: string) {
    this.#control = control;
  }

  static async start(cluster: Pick<Cluster, 'daemon'>): Promise<Chaos> {
    const port = await freePort();
    const daemon = cluster.daemon('chaos', [process.execPath, join(import.meta.dirname, 'main.ts'), `--control-port=${port}`]);
    await daemon.says(/chaos is controlled/);
    return new Chaos(`http://127.0.0.1:${port}/links`);
  }

  /** Stands before a port of this machine, say the proxy's, auth's, Redis's or the emulator's. */
  async before(targetPort: number): Promise<ChaosLink> {
    this.#links += 1;
    const link = `${this.#control}/${this.#links}`;
    const { port } = (await call(link, 'PUT', { host: '127.0.0.1', port: targetPort })) as { port: number };
    const set = (fault: Fault) => call(`${link}/fault`, 'PUT', fault) as Promise<Counters>;
    return {
      port,
      address: `localhost:${port}`,
      url: `http://127.0.0.1:${port}`,
      set,
      heal: () => set({ mode: 'pass' }),
      counters: () => call(link, 'GET') as Promise<Counters>,
    };
  }
}

async function call(url: string, method: string, body?: unknown): Promise<unknown> {
  const answer = await fetch(url, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  const said = await answer.json();
  if (!answer.ok) throw new Error(`${method} ${url}: ${(said as { error: string }).error}`);
  return said;
}
