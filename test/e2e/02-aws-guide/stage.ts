import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ACCOUNT, type Cluster, PASSWORD, ROLE } from '@postern/test-harness/cluster.ts';
import { type Daemon, freePort, until } from '@postern/test-harness/processes.ts';

export const ROLE_ARN = `arn:aws:iam::${ACCOUNT}:role/${ROLE}`;

/** The guide's role of step 2, from the file as it is printed. */
export const roleYaml = (arns: readonly string[] = [ROLE_ARN]) => `kind: role
version: v5
metadata:
  name: aws-dynamodb-access
spec:
  allow:
    app_labels:
      '*': '*'
    aws_role_arns:
${arns.map((arn) => `    - ${arn}`).join('\n')}
`;

/** The guide's teleport.yaml of step 3; the token lies in a file of this story's own. */
export const agentYaml = (cluster: Cluster, tokenFile: string) => `version: v3
teleport:
  data_dir: ${join(cluster.dir, 'app-agent', 'data')}
  join_params:
    token_name: "${tokenFile}"
    method: token
  proxy_server: "${cluster.proxy}"
auth_service:
  enabled: false
proxy_service:
  enabled: false
ssh_service:
  enabled: false
app_service:
  enabled: true
  apps:
  - name: aws
    uri: https://console.aws.amazon.com/console/home
`;

/** A cluster in which alice may use the application of the guide, for stories that do not type the guide itself; its agent. */
export async function openStage(
  cluster: Cluster,
  { arns, apart = false, tls = false }: { readonly arns?: readonly string[]; readonly apart?: boolean; readonly tls?: boolean } = {},
): Promise<Daemon> {
  await cluster.startEmulator({ tls, ...(arns === undefined ? {} : { roles: arns }) });
  await cluster.start({ apart });
  writeFileSync(join(cluster.dir, 'aws-dynamodb-access.yaml'), roleYaml(arns));
  await cluster.admin('tctl create -f aws-dynamodb-access.yaml');
  await cluster.admin('tctl users add alice --roles=aws-dynamodb-access --password-stdin', { input: `${PASSWORD}\n` });
  await cluster.signIn();
  return startAppAgent(cluster);
}

export async function startAppAgent(cluster: Cluster, printed?: string): Promise<Daemon> {
  const invited =
    printed ?? (await cluster.admin('tctl tokens add --type=app --app-name=aws --app-uri=https://console.aws.amazon.com/console/home'));
  const agent = cluster.startAgent('app-agent', agentYaml(cluster, keepToken(cluster, invited)));
  await until('the application to be listed', 30_000, async () =>
    (await cluster.sh('tsh apps ls')).stdout.includes('aws') ? true : undefined,
  );
  return agent;
}

/** The token of an invitation in a file of its own, as a person keeps it. */
export function keepToken(cluster: Cluster, invited: string, name = 'token'): string {
  const file = join(cluster.dir, name);
  const token = invited.match(/invite token: ([0-9a-f]{32})/)?.[1] ?? 'no token was printed';
  writeFileSync(file, `${token}\n`, { mode: 0o600 });
  return file;
}

export interface OpenDoor {
  readonly port: number;
  readonly daemon: Daemon;
  /** As a person types the four lines into a shell. */
  readonly env: Record<string, string>;
}

let opened = 0;

export async function openDoor(cluster: Cluster, port?: number): Promise<OpenDoor> {
  const chosen = port ?? (await freePort());
  // Each writes a log of its own: what an earlier one printed is not read again.
  opened += 1;
  const daemon = cluster.daemon(`proxy-aws-${opened}`, ['tsh', 'proxy', 'aws', '-p', String(chosen)], {
    TELEPORT_HOME: cluster.homeOf('alice'),
  });
  await daemon.says(/HTTPS_PROXY=\S+/);
  const lines = [...daemon.log().matchAll(/^ {2}([A-Z_]+)=(.+)$/gm)];
  return { port: chosen, daemon, env: Object.fromEntries(lines.map(([, name = '', value = '']) => [name, value])) };
}

/** Of a person who has no AWS settings but those that are given. */
export const clientEnv = (extra: Record<string, string> = {}) => ({
  AWS_REGION: 'us-east-1',
  AWS_DEFAULT_REGION: 'us-east-1',
  AWS_MAX_ATTEMPTS: '1',
  AWS_PAGER: '',
  ...extra,
});
