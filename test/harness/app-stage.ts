import { AgentStage } from '#agent-stage.ts';
import { ACCOUNT, type ClusterOptions, ROLE } from '#cluster.ts';
import { EndpointClient } from '#endpoint-client.ts';
import { type Answer, Load } from '#load.ts';
import { type Daemon, freePort, until } from '#processes.ts';

export const APPLICATION = 'aws';
const CONSOLE = 'https://console.aws.amazon.com/console/home';

export interface EndpointOptions {
  /** The clock by which the person's program signs. */
  readonly nowMs?: () => number;
  /** False: nobody waits until a request gets through. */
  readonly isServed?: boolean;
}

/** The port of a person's `tsh up`, with a program that speaks to it. */
export interface Endpoint {
  readonly client: EndpointClient;
  readonly daemon: Daemon;
}

/** A cluster with one user who may, one application, and the agents of it that a story starts and kills. */
export class AppStage extends AgentStage {
  protected readonly allowed = `app_labels: { '*': '*' }, aws_role_arns: ['arn:aws:iam::${ACCOUNT}:role/${ROLE}']`;
  protected readonly service = ['app_service:', '  enabled: "yes"', '  apps:', `    - { name: ${APPLICATION}, uri: "${CONSOLE}" }`];

  async open(options: ClusterOptions = {}): Promise<void> {
    const { cluster } = this;
    await cluster.startEmulator();
    await cluster.start(options);
    await cluster.awsObject('us-east-1', { bucket: 'faults', key: 'one', body: 'the first' });
    await this.role('apps');
    await this.user('alice', 'apps');
    this.token = (await cluster.admin(`tctl tokens add --type=app --app-name=${APPLICATION} --app-uri=${CONSOLE} --format=text`)).trim();
  }

  /** `tsh up` of a person, with the keys of the application; an agent has to be attached. */
  async endpoint(person = 'alice', { nowMs, isServed = true }: EndpointOptions = {}): Promise<Endpoint> {
    const { cluster } = this;
    await until(`${APPLICATION} to be listed`, 30_000, async () =>
      (await cluster.sh('tsh apps ls', { person })).stdout.includes(APPLICATION) ? true : undefined,
    );
    await cluster.mustSh(`tsh apps login --aws-role ${ROLE} ${APPLICATION}`, { person });
    const printed = await cluster.mustSh(`tsh apps config ${APPLICATION} --format=aws-credential-process`, { person });
    const { AccessKeyId: id = '', SecretAccessKey: secret = '' } = JSON.parse(printed) as Record<string, string>;
    const port = await freePort();
    // The tunnel of this person, as the load of a story takes it.
    const daemon = cluster.daemon(`tunnel-${person}-${port}`, ['tsh', 'up', '--foreground', '--port', String(port)], {
      TELEPORT_HOME: cluster.homeOf(person),
    });
    await daemon.says(/Serving every application/);
    const client = new EndpointClient(port, { id, secret }, nowMs);
    if (isServed) await this.recovers(client, 20_000);
    return { client, daemon };
  }

  /** Waits for a request to get through; returns after how many milliseconds. */
  async recovers(client: EndpointClient, withinMs: number): Promise<number> {
    const startedMs = Date.now();
    let last: Answer | undefined;
    await until('a request to get through', withinMs, async () => {
      last = await client.whoAmI();
      return last.status === 200 ? true : undefined;
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${last?.status} ${last?.body}`);
    });
    return Date.now() - startedMs;
  }
}

/** Small requests of several services, one after another on kept connections, while faults happen. */
export function appLoad(client: EndpointClient, options?: { readonly connections?: number; readonly pauseMs?: number }): Load {
  let count = 0;
  return new Load((agent) => {
    count += 1;
    if (count % 3 === 0) return client.whoAmI({ agent });
    return count % 3 === 1 ? client.getObject('one', { agent }) : client.dynamoDb('ListTables', {}, { agent });
  }, options);
}
