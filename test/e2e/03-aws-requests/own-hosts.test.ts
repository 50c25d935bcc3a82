import { Cluster, ROLE } from '@postern/test-harness/cluster.ts';
import { until } from '@postern/test-harness/processes.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agentYaml, keepToken, openDoor, openStage } from '#02-aws-guide/stage.ts';
import { type Arrived, arrivedAfter, linesOf } from '#03-aws-requests/both-doors.ts';
import { call, type Door, proxyDoor } from '#03-aws-requests/wire.ts';

const OWN = 'a1b2c3d4e5.execute-api.us-east-1.amazonaws.com';
const asked = { awsHost: OWN, service: 'execute-api', method: 'GET', path: '/stage//a%2Fb/./c/' };

describe('a host of one’s own, an API of API Gateway, that the application names', () => {
  const cluster = new Cluster();
  let door: Door;

  beforeAll(async () => {
    await openStage(cluster);
    const invited = await cluster.admin('tctl tokens add --type=app --app-name=apis --app-uri=https://console.aws.amazon.com/console/home');
    const yaml = agentYaml(cluster, keepToken(cluster, invited, 'token-of-apis'))
      .replace('app-agent', 'app-agent-of-apis')
      .replace('name: aws', 'name: apis')
      .concat(`    aws: {own_hosts: [{host: ${OWN}, service: execute-api, region: us-east-1}]}\n`);
    cluster.startAgent('app-agent-of-apis', yaml);
    await until('the application to be listed', 30_000, async () =>
      (await cluster.sh('tsh apps ls')).stdout.includes('apis') ? true : undefined,
    );
    await cluster.mustSh(`tsh apps login --aws-role ${ROLE} apis`);
    door = proxyDoor((await openDoor(cluster)).env);
  }, 120_000);
  afterAll(() => cluster.stop());

  async function arriving(more: Partial<Parameters<typeof call>[1]> = {}) {
    const before = cluster.rawLog().length;
    const answer = await call(door, { ...asked, ...more });
    return { answer, came: arrivedAfter(cluster, before) };
  }

  it('gets the path that nobody tidies and headers of its own, under the role’s signature', async () => {
    const headers = [
      ['X-Api-Key', 'k-1'],
      ['X-Custom', '"quoted,  twice"'],
    ] as const;
    const { answer, came } = await arriving({ headers });
    expect(answer.status).toBe(200);
    const [entry = expect.fail('nothing arrived')] = came;
    expect(entry).toMatchObject<Partial<Arrived>>({ host: OWN, path: asked.path, verified: true });
    for (const [header, value] of headers) expect(linesOf(entry, header.toLowerCase())).toEqual([value]);
  });

  it.each([
    ['another service', { service: 'lambda' }, /scoped to correct service: 'execute-api'/],
    ['another region', { region: 'eu-west-1' }, /scoped to a valid region/],
  ])('takes no signature for %s', async (_what, more, words) => {
    const { answer, came } = await arriving(more);
    expect([answer.status, came]).toEqual([403, []]);
    expect(answer.body.toString()).toMatch(words);
  });
});
