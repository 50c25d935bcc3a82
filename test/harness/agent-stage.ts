import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Cluster, PASSWORD } from '#cluster.ts';
import { type Daemon, until } from '#processes.ts';

export interface AgentOptions {
  /** False: the file names none. */
  readonly token?: boolean;
  /** How it finds the cluster, as lines under `teleport:`; the proxy's address where it is absent. */
  readonly reach?: readonly string[];
  /** The folder it lives in, where that is not named as the process. */
  readonly data?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** A command that starts it, before its own. */
  readonly under?: readonly string[];
}

/** A cluster with people who sign in, and agents of one kind that a story starts and kills. */
export abstract class AgentStage {
  readonly cluster = new Cluster();
  token = '';

  /** What a role of the story allows, as YAML. */
  protected abstract readonly allowed: string;
  /** The agent's own part of its file. */
  protected abstract readonly service: readonly string[];

  async role(name: string, sessionTtl?: string): Promise<void> {
    const spec = [
      'spec:',
      ...(sessionTtl === undefined ? [] : [`  options: { max_session_ttl: ${sessionTtl} }`]),
      `  allow: { ${this.allowed} }`,
    ];
    const lines = ['kind: role', 'version: v6', `metadata: { name: ${name} }`, ...spec, ''];
    writeFileSync(join(this.cluster.dir, `${name}.yaml`), lines.join('\n'));
    await this.cluster.admin(`tctl create -f ${name}.yaml`);
  }

  async user(name: string, role: string): Promise<void> {
    await this.cluster.admin(`tctl users add ${name} --roles=${role} --password-stdin`, { input: `${PASSWORD}\n` });
    await this.cluster.signIn(name);
  }

  agent(host: string, given: AgentOptions = {}): Daemon {
    const { cluster, token } = this;
    const lines = [
      'version: v3',
      'teleport:',
      `  nodename: ${host}`,
      `  data_dir: ${join(cluster.dir, given.data ?? host, 'data')}`,
      ...(given.reach ?? [`proxy_server: ${cluster.proxy}`]).map((line) => `  ${line}`),
      ...(given.token === false ? [] : [`  auth_token: ${token}`]),
      ...this.service,
      '',
    ];
    return cluster.startAgent(host, lines.join('\n'), given.env, given.under);
  }

  /** Resolves when the agent has a tunnel; its log holds earlier runs too, so that it is read from `after` on. */
  async attached(agent: Daemon, after = 0): Promise<void> {
    await until(`${agent.name} to be attached`, 30_000, () => {
      if (agent.child.exitCode !== null) throw new Error(`${agent.name} exited ${agent.child.exitCode}:\n${agent.log()}`);
      return /"?attached/.test(agent.log().slice(after)) ? true : undefined;
    });
  }
}
