import { expect } from 'vitest';
import { Aftermath } from '@postern/test-harness/aftermath.ts';
import { appLoad, AppStage } from '@postern/test-harness/app-stage.ts';
import { Chaos, type ChaosLink } from '@postern/test-harness/chaos/chaos.ts';
import { type AuditLine, auditLines, requestsIn } from '@postern/test-harness/check-audit.ts';
import type { EndpointClient } from '@postern/test-harness/endpoint-client.ts';
import type { Answer, Load } from '@postern/test-harness/load.ts';
import { type Daemon, until } from '@postern/test-harness/processes.ts';
import { type CutOff, cutOff, TOLD_MS } from '#cut-off.ts';

interface Serving {
  readonly name: string;
  /** As the log names it. */
  readonly id: string;
  readonly agent: Daemon;
  readonly link: ChaosLink;
}

/** Two agents of one application, each behind a link to the proxy that can be cut, with small requests that fly through `tsh up`. */
export class AppAgents {
  readonly stage = new AppStage();
  readonly #links = new Map<string, ChaosLink>();
  readonly #agents = new Map<string, Daemon>();
  #made: { readonly client: EndpointClient; readonly aftermath: Aftermath } | undefined;
  #load: Load | undefined;

  get cluster() {
    return this.stage.cluster;
  }
  get client(): EndpointClient {
    if (this.#made === undefined) throw new Error('the agents are not open');
    return this.#made.client;
  }
  get load(): Load {
    this.#load ??= appLoad(this.client, { connections: 2 });
    return this.#load;
  }

  async open(): Promise<void> {
    await this.stage.open();
    const chaos = await Chaos.start(this.cluster);
    for (const name of ['one', 'two']) {
      this.#links.set(name, await chaos.before(this.cluster.proxyPort));
      await this.start(name);
    }
    const { client } = await this.stage.endpoint();
    expect((await client.putObject('kept', 'before all')).status).toBe(200);
    for (const ask of [() => client.getObject('one'), () => client.dynamoDb('ListTables', {})]) expect((await ask()).status).toBe(200);
    const aftermath = await Aftermath.before(this.cluster);
    aftermath.ledger.object('kept', 'before all');
    this.#made = { client, aftermath };
  }

  async start(name: string): Promise<Daemon> {
    const link = this.#links.get(name);
    if (link === undefined) throw new Error(name);
    const said = this.#agents.get(name)?.log().length ?? 0;
    const agent = this.stage.agent(name, { reach: [`proxy_server: ${link.address}`] });
    this.#agents.set(name, agent);
    await this.stage.attached(agent, said);
    return agent;
  }

  /** What a story that failed may have left. */
  async heal(): Promise<void> {
    await this.#load?.stop();
    this.#load = undefined;
    for (const link of this.#links.values()) await link.heal();
    for (const [name, { child }] of this.#agents) if (child.exitCode !== null || child.signalCode !== null) await this.start(name);
  }

  /** The agent that answers the open session. */
  async serving(): Promise<Serving> {
    const sentMs = Date.now();
    await this.stage.recovers(this.client, 15_000);
    const { server_id: id } = await until('its events', 10_000, async () =>
      requestsIn(await auditLines(this.cluster), 'outcome').findLast(
        ({ time, outcome, operation }) => outcome === 'answered' && operation === 'GetCallerIdentity' && Date.parse(time) >= sentMs,
      ),
    );
    for (const [name, agent] of this.#agents) {
      const link = this.#links.get(name);
      if (link !== undefined && agent.log().includes(id)) return { name, id, agent, link };
    }
    throw new Error(`no agent has the id ${id}`);
  }

  atAws(operation: string): number {
    return this.cluster.rawLog().filter((seen) => seen.operation === operation).length;
  }

  /** The outcomes of what began since then, once there are any. */
  async outcomes(since: { readonly ms: number; readonly of: (intent: AuditLine) => boolean }): Promise<readonly AuditLine[]> {
    const lines = await auditLines(this.cluster);
    const intents = requestsIn(lines, 'intent').filter((line) => Date.parse(line.time) >= since.ms && since.of(line));
    const ids = new Set(intents.map(({ request_id }) => request_id));
    return requestsIn(lines, 'outcome').filter(({ request_id }) => ids.has(request_id));
  }

  /** After every fault: nobody was held, and nothing is lost. All answers of the load. */
  async settled(): Promise<readonly Answer[]> {
    const answers = (await this.#load?.stop()) ?? [];
    this.#load = undefined;
    expect(answers.filter(({ tookMs }) => tookMs > TOLD_MS).map(({ tookMs, status, body }) => ({ tookMs, status, body }))).toEqual([]);
    await this.stage.recovers(this.client, 15_000);
    await this.#made?.aftermath.check({ client: this.client });
    return answers;
  }

  /** F-29, F-30, of the one that serves. */
  async cutOff(way: CutOff['way']): Promise<void> {
    const { agent, link } = await this.serving();
    const host = this.cluster.authHost ?? expect.fail('the proxy does not run');
    await cutOff({ way, agent, link, host, load: this.load, settled: () => this.settled() });
  }
}
