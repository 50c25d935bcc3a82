import { expect } from 'vitest';
import { AgentStage } from '#agent-stage.ts';
import { ACCOUNT, type ClusterOptions, ROLE } from '#cluster.ts';
import { getItem } from '#load.ts';
import { type Daemon, until } from '#processes.ts';

export const DATABASE = 'example-dynamodb';

/** A cluster with one user who may, one database, and the agents of it that a story starts and kills. */
export class Stage extends AgentStage {
  protected readonly allowed = `db_labels: { '*': '*' }, db_users: ['${ROLE}']`;
  protected readonly service = [
    'db_service:',
    '  enabled: "yes"',
    '  databases:',
    `    - { name: ${DATABASE}, protocol: dynamodb, static_labels: { env: dev }, aws: { region: us-east-1, account_id: "${ACCOUNT}" } }`,
  ];

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
