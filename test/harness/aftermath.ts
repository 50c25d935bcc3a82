import { checkAudit, mustBeNone } from '#check-audit.ts';
import type { Cluster } from '#cluster.ts';
import type { EndpointClient } from '#endpoint-client.ts';
import { Ledger } from '#ledger.ts';
import { UsageBefore } from '#usage.ts';

/** What must hold after every fault, whatever it was. Made before the fault, asked after it, when everything is back. */
export class Aftermath {
  readonly ledger = new Ledger();
  readonly #cluster: Cluster;
  readonly #usage: UsageBefore;

  private constructor(cluster: Cluster, usage: UsageBefore) {
    this.#cluster = cluster;
    this.#usage = usage;
  }

  /** When everything runs and has been used a little. */
  static async before(cluster: Cluster): Promise<Aftermath> {
    return new Aftermath(
      cluster,
      await UsageBefore.of(cluster.running().filter(({ name }) => /^(auth-host|proxy-host|tunnel)/.test(name) || cluster.isAgent(name))),
    );
  }

  /**
   * No acknowledged write is lost; the log knows of all that reached AWS, each event once; no session outlived its certificate; the
   * processes that were there before, or those in their place, hold no more than they did. What failed is named: the write, the request, the process.
   */
  async check(
    options: { readonly port?: number; readonly client?: EndpointClient; readonly usage?: false } = {},
  ): Promise<{ readonly intents: number; readonly unknown: number }> {
    mustBeNone(await this.ledger.lost(this.#cluster, options.port, options.client));
    const audit = await checkAudit(this.#cluster);
    if (options.usage !== false) mustBeNone(await this.#usage.excess({ running: this.#cluster.running() }));
    return audit;
  }
}
