import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { ACCOUNT, Cluster, type ClusterOptions, PASSWORD, ROLE } from '#cluster.ts';
import { getItem } from '#load.ts';
import { type Daemon, until } from '#processes.ts';

export const DATABASE = 'example-dynamodb';

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

/** A cluster with one user who may, one database, and the agents of it that a story starts and kills. */
export class Stage {
  readonly cluster = new Cluster();
  token = '';

  /** `roles` are those of "AWS" besides the one that everybody may use. */
  async open({ roles = [], ...options }: ClusterOptions & { readonly roles?: readonly string[] } = {}): Promise<void> {
    const { cluster } = this;
    await cluster.startEmulator({ roles: [ROLE, ...roles] });
    await cluster.start(options);
    await this.furnish();
  }

  /** A role, a user who is signed in, and a token bound to the database. */
  async furnish(): Promise<void> {
    await this.role('dynamo');
    await this.user('alice', 'dynamo');
    this.token = (await this.cluster.admin(`tctl tokens add --type=db --db-name=${DATABASE} --db-protocol=dynamodb --format=text`)).trim();
  }

  async role(name: string, sessionTtl?: string): Promise<void> {
    const spec = [
      'spec:',
      ...(sessionTtl === undefined ? [] : [`  options: { max_session_ttl: ${sessionTtl} }`]),
      `  allow: { db_labels: { '*': '*' }, db_users: ['${ROLE}'] }`,
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
      'db_service:',
      '  enabled: "yes"',
      '  databases:',
      `    - { name: ${DATABASE}, protocol: dynamodb, static_labels: { env: dev }, aws: { region: us-east-1, account_id: "${ACCOUNT}" } }`,
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

  /** A local port on which GetItem answers 200. */
  async tunnel(person = 'alice'): Promise<{ port: number; daemon: Daemon }> {
    const opened = await this.cluster.openTunnel(person);
    await this.makeTable(opened.port);
    return opened;
  }

  /** Waits for a request to get through; returns after how many milliseconds. */
  async recovers(port: number, withinMs: number): Promise<number> {
    const startedMs = Date.now();
    await until('a request to get through', withinMs, async () => ((await getItem(port)).status === 200 ? true : undefined));
    return Date.now() - startedMs;
  }

  async makeTable(port: number): Promise<void> {
    const made = await fetch(`http://localhost:${port}`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'DynamoDB_20120810.CreateTable' },
      body: JSON.stringify({
        TableName: 'faults',
        AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
        KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
        BillingMode: 'PAY_PER_REQUEST',
      }),
    });
    const text = await made.text();
    if (!text.includes('ResourceInUseException')) expect({ status: made.status, text }).toMatchObject({ status: 200 });
    await this.recovers(port, 20_000);
  }
}
