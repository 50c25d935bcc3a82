import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Cluster, ROLE } from '@postern/test-harness/cluster.ts';
import { freePort, until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agentYaml, clientEnv, openDoor, openStage } from '#02-aws-guide/stage.ts';
import { call, type Door, endpointDoor, proxyDoor } from '#03-aws-requests/wire.ts';

const cannot = lacking('aws');

/** Requests that cannot be served, each told in a sentence to the program that asked. */
describe.skipIf(cannot !== undefined)('a request that cannot be served', () => {
  const cluster = new Cluster();
  let proxy: Door;
  let endpoint: Door;

  beforeAll(async () => {
    await openStage(cluster);
    await cluster.mustSh(`tsh apps login --aws-role ${ROLE} aws`);
    proxy = proxyDoor((await openDoor(cluster)).env);
    const port = await freePort();
    await cluster.mustSh(`tsh up --port ${port}`);
    endpoint = endpointDoor(port, proxy.keys);
  }, 120_000);
  afterAll(async () => {
    await cluster.sh('tsh down');
    await cluster.stop();
  });

  it.each([
    ['of a region of another partition', 'dynamodb', 'cn-north-1', /partition aws-cn, the application in aws/],
    ['of a region that there is not', 'dynamodb', 'moon-east-1', /no AWS partition has a region .{1,2}moon-east-1/],
    ['of a service that there is not', 'nosuchservice', 'us-east-1', /nosuchservice/],
  ])('is refused where it is %s', async (_what, service, region, words) => {
    const before = cluster.rawLog().length;
    const suffix = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
    for (const door of [proxy, endpoint]) {
      const asked = { awsHost: `${service}.${region}.${suffix}`, service, region, method: 'POST', path: '/', body: Buffer.from('{}') };
      const target = [['X-Amz-Target', 'DynamoDB_20120810.ListTables']] as const;
      const answer = await call(door, { ...asked, headers: target });
      expect([answer.status, answer.body.toString()]).toEqual([400, expect.stringMatching(words)]);
    }
    expect(cluster.rawLog()).toHaveLength(before);
  });

  it('is refused by an agent that has no AWS credentials, which says so in its health too', async () => {
    await cluster.mustSh('tsh down');
    const diag = await freePort();
    const agent = cluster.running().find(({ name }) => name === 'app-agent');
    await agent?.stop();
    const yaml = agentYaml(cluster, join(cluster.dir, 'token'));
    writeFileSync(
      join(cluster.dir, 'app-agent', 'teleport.yaml'),
      yaml.replace('teleport:\n', `teleport:\n  diag_addr: 127.0.0.1:${diag}\n`),
    );
    const start = ['teleport', 'start', '-c', join(cluster.dir, 'app-agent', 'teleport.yaml')];
    const bare = cluster.daemon('bare-agent', start, { AWS_ENDPOINT_URL: cluster.emulatorUrl });
    const ready = () => cluster.sh(`curl -s http://127.0.0.1:${diag}/readyz`);
    const health = await until('its health', 30_000, async () => {
      const { stdout } = await ready();
      return stdout.includes('credentials') ? stdout : undefined;
    });
    expect(health).toMatch(/credentials/);
    const before = cluster.rawLog().length;
    const said = await until('the agent to be reached', 60_000, async () => {
      const { stdout, stderr, code } = await cluster.sh('tsh aws dynamodb list-tables', { env: clientEnv() });
      return code !== 0 && /credentials/i.test(stdout + stderr) ? stdout + stderr : undefined;
    });
    expect(said).toMatch(/\(ServiceUnavailableException\).*credentials/s);
    // "no agent answers", it said, though one had, with the cause.
    const console = await cluster.sh('tsh apps console aws --print');
    expect(console).toMatchObject({ code: 6, stdout: '' });
    expect(console.stderr).toMatch(/credentials/);
    expect(console.stderr).not.toMatch(/no agent of/);
    expect(cluster.rawLog()).toHaveLength(before);
    await bare.stop();
  }, 180_000);
});
