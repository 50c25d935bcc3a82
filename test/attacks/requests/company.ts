import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { type Agent, request } from 'node:http';
import { join } from 'node:path';
import { ACCOUNT, type AtAws, Cluster, type ClusterOptions, PASSWORD, ROLE } from '@postern/test-harness/cluster.ts';
import { type Daemon, until } from '@postern/test-harness/processes.ts';

export const DATABASE = 'example-dynamodb';
export const TABLE = 'notes';
const KEY_ID = 'AKIAIOSFODNN7EXAMPLE';
export const KEY_SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';

/** A cluster, an agent that logs all it can, and two people with the same role. */
export class Company {
  readonly cluster = new Cluster();
  token = '';
  agent: Daemon | undefined;

  async open(options: ClusterOptions = {}): Promise<void> {
    const { cluster } = this;
    await cluster.startEmulator();
    await cluster.start(options);
    const role = `kind: role\nversion: v6\nmetadata: { name: dynamo }\nspec: { allow: { db_labels: { '*': '*' }, db_users: ['${ROLE}'] } }\n`;
    writeFileSync(join(cluster.dir, 'dynamo.yaml'), role);
    await cluster.admin('tctl create -f dynamo.yaml');
    for (const user of ['alice', 'bob']) {
      await cluster.admin(`tctl users add ${user} --roles=dynamo --password-stdin`, { input: `${PASSWORD}\n` });
      await cluster.signIn(user);
    }
    this.token = (await cluster.admin(`tctl tokens add --type=db --db-name=${DATABASE} --db-protocol=dynamodb --format=text`)).trim();
    this.agent = this.#startAgent();
    await until('the database', 30_000, async () => ((await cluster.sh('tsh db ls')).stdout.includes(DATABASE) ? true : undefined));
  }

  #startAgent(): Daemon {
    const { cluster } = this;
    const home = join(cluster.dir, 'agent');
    mkdirSync(home, { recursive: true });
    const lines = [
      'version: v3',
      'teleport:',
      '  nodename: agent',
      `  data_dir: ${join(home, 'data')}`,
      `  proxy_server: ${cluster.proxy}`,
      `  auth_token: ${join(home, 'token')}`,
      'db_service:',
      '  enabled: "yes"',
      '  databases:',
      `    - { name: ${DATABASE}, protocol: dynamodb, static_labels: { env: dev }, aws: { region: us-east-1, account_id: "${ACCOUNT}" } }`,
      '',
    ];
    writeFileSync(join(home, 'token'), this.token, { mode: 0o600 });
    writeFileSync(join(home, 'teleport.yaml'), lines.join('\n'));
    return cluster.daemon('agent', ['teleport', '-d', 'start', '-c', join(home, 'teleport.yaml')], {
      AWS_ENDPOINT_URL: cluster.emulatorUrl,
      AWS_ACCESS_KEY_ID: KEY_ID,
      AWS_SECRET_ACCESS_KEY: KEY_SECRET,
    });
  }

  /** DynamoDB's requests as they stand in the raw log, with what the harness itself does not read of them. */
  seen(): readonly Seen[] {
    return this.cluster.dynamoDbAtAws() as readonly Seen[];
  }
}

export type Seen = AtAws & {
  readonly requestId: string;
  readonly bodySha256: string;
  readonly headers: readonly (readonly [string, string])[];
};

export interface Answered {
  /** 0 where the connection broke. */
  readonly status: number;
  readonly body: string;
}

export interface Asked {
  readonly operation: string;
  readonly body: string;
  readonly agent?: Agent;
  readonly headers?: Readonly<Record<string, string>>;
  /** Breaks off after so many milliseconds. */
  readonly leaveMs?: number;
}

/** One request through a local port; never rejects. */
export function ask(port: number, { operation, body, agent, headers, leaveMs }: Asked): Promise<Answered> {
  return new Promise((resolve) => {
    const call = request({
      host: '127.0.0.1',
      port,
      method: 'POST',
      agent: agent ?? false,
      headers: {
        host: `localhost:${port}`,
        'content-type': 'application/x-amz-json-1.0',
        'x-amz-target': `DynamoDB_20120810.${operation}`,
        'content-length': Buffer.byteLength(body),
        ...headers,
      },
    });
    const timer = leaveMs === undefined ? undefined : setTimeout(() => call.destroy(), leaveMs);
    const done = (answer: Answered) => {
      clearTimeout(timer);
      resolve(answer);
    };
    call.on('response', (answer) => {
      let text = '';
      answer.on('data', (chunk: Buffer) => (text += chunk.toString()));
      answer.on('end', () => done({ status: answer.statusCode ?? 0, body: text }));
      answer.on('error', () => done({ status: 0, body: '' }));
      answer.on('close', () => done({ status: 0, body: '' }));
    });
    call.setTimeout(20_000, () => call.destroy());
    call.on('error', () => done({ status: 0, body: '' }));
    call.end(body);
  });
}

export const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
