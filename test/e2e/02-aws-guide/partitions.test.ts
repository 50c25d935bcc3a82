import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ACCOUNT, Cluster, PASSWORD } from '@postern/test-harness/cluster.ts';
import { until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agentYaml, clientEnv, keepToken, roleYaml } from './stage.ts';

const cannot = lacking('aws', 'boto3');

interface Place {
  readonly app: string;
  readonly partition: string;
  readonly region: string;
  readonly uri: string;
  readonly signIn: string;
  /** By the agent, which is told of no region; and what the person's AWS CLI asks, which is. */
  readonly assumedAt: string;
  readonly sts: string;
  /** Of services that are in no region, as botocore calls them there: IAM, Route 53, CloudFront, Organizations, Budgets. */
  readonly global: readonly string[];
}
const places: readonly Place[] = [
  {
    app: 'china',
    partition: 'aws-cn',
    region: 'cn-north-1',
    uri: 'https://console.amazonaws.cn/console/home',
    signIn: 'https://signin.amazonaws.cn/federation',
    assumedAt: 'sts.cn-northwest-1.amazonaws.com.cn',
    sts: 'sts.cn-north-1.amazonaws.com.cn',
    global: [
      'iam.cn-north-1.amazonaws.com.cn cn-north-1',
      'route53.amazonaws.com.cn cn-northwest-1',
      'cloudfront.cn-northwest-1.amazonaws.com.cn cn-northwest-1',
      'organizations.cn-northwest-1.amazonaws.com.cn cn-northwest-1',
      'budgets.amazonaws.com.cn cn-northwest-1',
    ],
  },
  {
    app: 'gov',
    partition: 'aws-us-gov',
    region: 'us-gov-east-1',
    uri: 'https://console.amazonaws-us-gov.com/console/home',
    signIn: 'https://signin.amazonaws-us-gov.com/federation',
    assumedAt: 'sts.us-gov-west-1.amazonaws.com',
    sts: 'sts.us-gov-east-1.amazonaws.com',
    global: [
      'iam.us-gov.amazonaws.com us-gov-west-1',
      'route53.us-gov.amazonaws.com us-gov-west-1',
      'cloudfront.amazonaws.com us-gov-west-1',
      'organizations.us-gov-west-1.amazonaws.com us-gov-west-1',
      'budgets.amazonaws.com us-gov-west-1',
    ],
  },
  {
    app: 'europe',
    partition: 'aws-eusc',
    region: 'eusc-de-east-1',
    uri: 'https://eusc-de-east-1.console.amazonaws-eusc.eu/console/home',
    signIn: 'https://eusc-de-east-1.signin.amazonaws-eusc.eu/federation',
    assumedAt: 'sts.eusc-de-east-1.amazonaws.eu',
    sts: 'sts.eusc-de-east-1.amazonaws.eu',
    global: [
      'iam.eusc-de-east-1.amazonaws.eu eusc-de-east-1',
      'route53.amazonaws.eu eusc-de-east-1',
      'cloudfront.amazonaws.eu eusc-de-east-1',
      'organizations.eusc-de-east-1.amazonaws.eu eusc-de-east-1',
      'budgets.eusc-de-east-1.api.amazonwebservices.eu eusc-de-east-1',
    ],
  },
];
const arnOf = ({ partition }: Pick<Place, 'partition'>) => `arn:${partition}:iam::${ACCOUNT}:role/Operator`;
const here = { app: 'here', uri: 'https://console.aws.amazon.com/console/home' };
const appResource = ({ app, uri }: Pick<Place, 'app' | 'uri'>) => `kind: app
version: v3
metadata: { name: ${app}, labels: { place: ${app === here.app ? 'home' : 'abroad'} } }
spec: { uri: '${uri}' }
`;
const program = `import boto3
for service, ask in (('iam', 'list_users'), ('route53', 'list_hosted_zones'), ('cloudfront', 'list_distributions'), ('organizations', 'list_accounts')):
    getattr(boto3.client(service), ask)()
boto3.client('budgets').describe_budgets(AccountId='${ACCOUNT}')`;

describe.skipIf(cannot !== undefined)('applications of other partitions', () => {
  const cluster = new Cluster();

  beforeAll(async () => {
    const arns = places.map(arnOf);
    await cluster.startEmulator({ roles: arns });
    await cluster.start();
    writeFileSync(join(cluster.dir, 'role.yaml'), roleYaml(arns));
    await cluster.admin('tctl create -f role.yaml');
    await cluster.admin('tctl users add alice --roles=aws-dynamodb-access --password-stdin', { input: `${PASSWORD}\n` });
    await cluster.signIn();
    const token = keepToken(cluster, await cluster.admin('tctl tokens add --type=app'));
    // Of the cluster's own applications this agent serves those with its label.
    const resources = "  resources:\n  - labels: { place: 'abroad' }\n";
    cluster.startAgent('app-agent', agentYaml(cluster, token).replace(/ {2}apps:\n.*\n.*\n/, resources));
    await cluster.admin('tctl create -f', { input: [...places, here].map(appResource).join('---\n') });
    await until('the applications to be listed', 30_000, async () => {
      const { stdout } = await cluster.sh('tsh apps ls');
      return places.every(({ app }) => stdout.includes(app)) ? true : undefined;
    });
  }, 120_000);
  afterAll(() => cluster.stop());

  it('are served by an agent that names none of them, by the label that its matcher asks for', async () => {
    const listed = JSON.parse(await cluster.mustSh('tsh apps ls -f json')) as { readonly metadata: { readonly name: string } }[];
    expect(listed.map(({ metadata }) => metadata.name).toSorted()).toEqual(places.map(({ app }) => app).toSorted());
  });

  describe.each(places)('$partition', (place) => {
    const { app, partition, region, signIn, sts, global } = place;
    const env = clientEnv({ AWS_REGION: region, AWS_DEFAULT_REGION: region });

    it('gives the only role of its own without asking, and none of another', async () => {
      expect(await cluster.mustSh(`tsh apps login ${app}`)).toContain(`Logged into AWS app ${app}.`);
      const said = await cluster.sh(`tsh apps login --aws-role arn:aws:iam::${ACCOUNT}:role/Operator ${app}`);
      expect(said.code).not.toBe(0);
      expect(said.stderr).toContain(arnOf(place));
    });

    it('assumes the role at its own STS, and is asked there who one is', async () => {
      const before = cluster.rawLog().length;
      const told = await cluster.mustSh(`tsh aws --app ${app} sts get-caller-identity`, { env });
      expect((JSON.parse(told) as { Arn: string }).Arn).toBe(`arn:${partition}:sts::${ACCOUNT}:assumed-role/Operator/alice`);
      const [assumed, asked] = cluster.rawLog().slice(before);
      expect(assumed).toMatchObject({ operation: 'AssumeRole', host: place.assumedAt, verified: true });
      expect(asked).toMatchObject({ operation: 'GetCallerIdentity', host: sts, region, verified: true });
    });

    it('has services of no region where botocore calls them', async () => {
      const before = cluster.rawLog().length;
      await cluster.mustSh(`tsh aws --app ${app} --exec python3 -c "$PROGRAM"`, { env: { ...env, PROGRAM: program } });
      const came = cluster.rawLog().slice(before);
      expect(came.map((entry) => `${entry.host} ${entry.region}`)).toEqual(global);
      expect(came.filter(({ verified }) => !verified)).toEqual([]);
    });

    it('signs in to its own console', async () => {
      const url = (await cluster.mustSh(`tsh apps console ${app} --print`)).trim();
      expect(url.split('?')[0]).toBe(signIn);
      expect(new URL(url).searchParams.get('Destination')).toBe(place.uri);
      const page = await cluster.mustSh(`curl -sSL -c jar-${app} -b jar-${app} '${url.replace(new URL(url).origin, cluster.emulatorUrl)}'`);
      expect(page).toContain('Operator/alice');
    });

    it('is no way to AWS’s commercial regions', async () => {
      const before = cluster.rawLog().length;
      const said = await cluster.sh(`tsh aws --app ${app} dynamodb list-tables --region us-east-1`, { env });
      expect(said.code).not.toBe(0);
      expect(said.stdout + said.stderr).toContain(`partition aws, the application in ${partition}`);
      expect(cluster.rawLog()).toHaveLength(before);
    });
  });
});
