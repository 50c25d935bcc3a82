import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { crc32, gunzipSync } from 'node:zlib';
import { DynamoDBClient, ListTablesCommand, paginateScan } from '@aws-sdk/client-dynamodb';
import { DynamoDBStreamsClient, ListStreamsCommand } from '@aws-sdk/client-dynamodb-streams';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCOUNT, Cluster, PASSWORD, ROLE } from '@postern/test-harness/cluster.ts';
import { until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';

const here = import.meta.dirname;
const cannot = lacking('aws', 'boto3', 'openssl', 'jq');

describe.skipIf(cannot !== undefined)('the DynamoDB guide, typed as it stands', () => {
  const cluster = new Cluster();
  let endpoint = '';
  const python = async (action: string) =>
    JSON.parse(await cluster.mustSh(`python3 ${join(here, 'clients.py')} ${endpoint} ${action}`, { env: cluster.awsEnv() })) as Record<
      string,
      unknown
    >;

  beforeAll(async () => {
    await cluster.startEmulator();
    await cluster.start();
    await cluster.admin('tctl users add alice --roles=access,auditor,editor --password-stdin', { input: `${PASSWORD}\n` });
  });
  afterAll(() => cluster.stop());

  it('signs in, and tctl works on the local machine', async () => {
    await cluster.signIn();
    const status = await cluster.mustSh('tctl status');
    expect(status).toMatch(/^Cluster:? +example\.internal$/m);
    expect(status).toMatch(/^Version:? +\d+\.\d+\.\d+$/m);
    expect(status).toMatch(/^CA pins?:? +sha256:[0-9a-f]{64}$/m);
  });

  it('creates the role of step 2 from the file as it is printed', async () => {
    writeFileSync(
      join(cluster.dir, 'aws-dynamodb-access.yaml'),
      `kind: role
version: v6
metadata:
  name: aws-dynamodb-access
spec:
  allow:
    db_labels:
      '*': '*'
    db_users:
      - '${ROLE}'
`,
    );
    expect(await cluster.mustSh('tctl create -f aws-dynamodb-access.yaml')).toMatch(/aws-dynamodb-access.*has been created/);
  });

  it('assigns the role by editing the local user, then signs in again', async () => {
    await cluster.mustSh('tctl get users/$(tsh status -f json | jq -r .active.username) > out.yaml');
    await cluster.mustSh("sed -i 's/^\\( *\\)- editor$/&\\n\\1- aws-dynamodb-access/' out.yaml && grep -q aws-dynamodb-access out.yaml");
    expect(await cluster.mustSh('tctl create -f out.yaml')).toMatch(/alice.*has been (updated|created)/);
    await cluster.mustSh('tsh logout');
    await cluster.signIn();
    expect(await cluster.mustSh('tsh status -f json | jq -r ".active.roles[]"')).toContain('aws-dynamodb-access');
  });

  it('makes a token and starts the agent from the guide’s teleport.yaml', async () => {
    const printed = await cluster.mustSh(`tctl tokens add \\
      --type=db \\
      --db-name=example-dynamodb \\
      --db-protocol=dynamodb`);
    const token = printed.match(/invite token: ([0-9a-f]{32})/)?.[1];
    expect(token).toBeDefined();
    cluster.startAgent(
      'agent',
      `version: v3
teleport:
  nodename: CHANGEME
  data_dir: ${join(cluster.dir, 'agent', 'data')}
  proxy_server: ${cluster.proxy}
  auth_token: ${token}
db_service:
  enabled: "yes"
  resources:
    - labels:
        "*": "*"
  # Lists statically registered databases proxied by this agent.
  databases:
    - name: "example-dynamodb"
      protocol: "dynamodb"
      # optional uri, if uri is set then AWS region can be extracted from it
      # or if AWS region is already set then the regions must match.
      # uri: "dynamodb.us-east-1.amazonaws.com:443"
      static_labels:
        env: "dev"
      aws:
        region: "us-east-1"
        account_id: "${ACCOUNT}"
`,
    );
    await until('the database to be listed', 30_000, async () =>
      (await cluster.sh('tsh db ls')).stdout.includes('example-dynamodb') ? true : undefined,
    );
    await cluster.mustSh('tsh db ls | grep "env=dev"');
    await cluster.mustSh('tsh db ls -f json | jq -e \'.[] | select(.metadata.name == "example-dynamodb")\'');
  });

  it('opens the tunnel on port 8000 and lists tables with the AWS CLI', async () => {
    const { port } = await cluster.openTunnel('alice');
    endpoint = `http://localhost:${port}`;
    await cluster.mustSh(`python3 ${join(here, 'prepare.py')} ${endpoint}`, { env: cluster.awsEnv() });
    const listed = JSON.parse(await cluster.mustSh(`aws dynamodb list-tables --endpoint-url=${endpoint}`, { env: cluster.awsEnv() })) as {
      TableNames: string[];
    };
    expect(listed.TableNames).toEqual(expect.arrayContaining(['table1', 'table2', 'table3']));
  });

  it('serves the guide’s boto3 lines', async () => {
    expect((await python('tables'))['TableNames']).toEqual(expect.arrayContaining(['table1', 'table2', 'table3']));
  });

  it('serves the AWS SDK for JavaScript, page after page on one connection', async () => {
    const client = new DynamoDBClient({ endpoint, region: 'us-east-1', credentials: { accessKeyId: 'none', secretAccessKey: 'none' } });
    expect((await client.send(new ListTablesCommand({}))).TableNames).toContain('table1');
    let items = 0;
    for await (const page of paginateScan({ client, pageSize: 11 }, { TableName: 'pages' })) items += page.Items?.length ?? 0;
    expect(items).toBe(50);
    const streams = new DynamoDBStreamsClient({
      endpoint,
      region: 'us-east-1',
      credentials: { accessKeyId: 'none', secretAccessKey: 'none' },
    });
    expect((await streams.send(new ListStreamsCommand({}))).Streams).toHaveLength(1);
  });

  it('pages through a scan with boto3', async () => {
    expect(await python('pages')).toEqual({ pages: 8, items: 50 });
  });

  it('passes compressed answers with their checksum as AWS made it', async () => {
    const answer = await rawScan(endpoint);
    expect(answer.encoding).toBe('gzip');
    expect(answer.crc32).toBe(crc32(answer.body));
    expect((JSON.parse(gunzipSync(answer.body).toString()) as { Count: number }).Count).toBe(50);
  });

  it('passes DynamoDB Streams by their target', async () => {
    expect(await python('streams')).toEqual({ listed: 1, keys: ['one'] });
  });

  it('serves a client that signs for the region local', async () => {
    expect((await python('local'))['TableNames']).toContain('table1');
  });

  it('passes a BatchWriteItem of 10 MB from boto3 and one of 16 MiB to the byte, and both are carried out', async () => {
    const sent = await python('batch');
    expect(sent['bytes']).toBeGreaterThan(9_900_000);
    expect(sent['unprocessed']).toBe(0);
    const limit = 16 * 1024 * 1024;
    const before = cluster.dynamoDbAtAws().length;
    const answer = await post(endpoint, 'DynamoDB_20120810.BatchWriteItem', batchOf(limit));
    expect({ status: answer.status, body: await answer.json() }).toEqual({ status: 200, body: { UnprocessedItems: {} } });
    const arrived = cluster.dynamoDbAtAws().slice(before);
    expect(arrived.map((entry) => entry.bodyBytes)).toEqual([limit]);
  });

  it('reached AWS as the assumed role, under the person’s name, for the true host and region', () => {
    const calls = cluster.dynamoDbAtAws();
    expect(calls.length).toBeGreaterThan(0);
    for (const call of calls) {
      expect(call).toMatchObject({
        verified: true,
        region: 'us-east-1',
        identity: { arn: `arn:aws:sts::${ACCOUNT}:assumed-role/${ROLE}/alice` },
      });
      expect([
        'dynamodb.us-east-1.amazonaws.com',
        `${ACCOUNT}.ddb.us-east-1.amazonaws.com`,
        'streams.dynamodb.us-east-1.amazonaws.com',
      ]).toContain(call.host);
    }
  });

  it('recorded the intent of each request before AWS saw it, and the outcome after', async () => {
    const records = await until('the outcomes in the log', 20_000, async () => {
      const listed = JSON.parse(await cluster.mustSh('tctl audit ls --kind=db.session.dynamodb.request --limit=10000 -f json')) as Record<
        string,
        unknown
      >[];
      const outcomes = listed.filter((record) => record['phase'] === 'outcome').length;
      return outcomes > 0 && outcomes === listed.filter((record) => record['phase'] === 'intent').length ? listed : undefined;
    });
    const atAws = cluster.dynamoDbAtAws();
    expect(records.filter((record) => record['phase'] === 'intent').length).toBeGreaterThanOrEqual(atAws.length);
    expect(records.every((record) => record['user'] === 'alice')).toBe(true);
    expect(JSON.stringify(records)).not.toContain('lorem ipsum');
    expect(await cluster.mustSh('tctl audit verify')).toMatch(/ok|intact/i);
  });

  it('shows the rule in the AWS CLI when a role says no', async () => {
    writeFileSync(
      join(cluster.dir, 'no-dev.yaml'),
      `kind: role
version: v6
metadata:
  name: no-dev
spec:
  deny:
    db_labels:
      env: dev
`,
    );
    await cluster.mustSh('tctl create -f no-dev.yaml');
    await cluster.mustSh('tctl users update alice --set-roles=access,auditor,editor,aws-dynamodb-access,no-dev');
    await cluster.signIn();
    const said = await cluster.sh(`tsh proxy db --tunnel --db-user=${ROLE} example-dynamodb`, { timeoutMs: 20_000 });
    // What a role hides is not told apart from what does not exist; the administrator sees why.
    expect(said.code).toBe(5);
    expect(said.stderr).toContain('tsh db ls');
    expect(await cluster.mustSh(`tctl access explain --user=alice --db=example-dynamodb --db-user=${ROLE}`)).toContain('no-dev');
    await cluster.mustSh('tctl users update alice --set-roles=access,auditor,editor,aws-dynamodb-access');
    await cluster.signIn();
    // An edit of a role that the certificate carries acts on the open tunnel, and the CLI prints the sentence.
    await cluster.mustSh(
      "sed -i 's/^    db_users:/    db_labels_x:/; s/^  allow:/  deny:\\n    db_labels:\\n      env: dev\\n  allow:/; s/db_labels_x/db_users/' aws-dynamodb-access.yaml && tctl create -f aws-dynamodb-access.yaml",
    );
    const refused = await until('the edit to act', 5_000, async () => {
      const answer = await cluster.sh(`aws dynamodb list-tables --endpoint-url=${endpoint}`, { env: cluster.awsEnv() });
      return answer.code === 0 ? undefined : answer;
    });
    expect(refused.stderr).toMatch(/AccessDeniedException/);
    expect(refused.stderr).toMatch(/denied by role aws-dynamodb-access/);
  });
});

async function post(endpoint: string, target: string, body: Buffer): Promise<Response> {
  return fetch(endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': target },
    body: new Uint8Array(body),
  });
}

/**
 * A BatchWriteItem of exactly `bytes` on the wire that DynamoDB has to carry out: 25 items below 400 KB each. Their text
 * alone would be 10 MB; written as JSON escapes, as clients may, a character takes six bytes.
 */
function batchOf(bytes: number): Buffer {
  const CHARACTERS = 390_000;
  const ESCAPE = '\\u0078';
  const item = (n: number, text: string) => `{"PutRequest":{"Item":{"id":{"S":"limit-${n}"},"pad":{"S":"${text}"}}}}`;
  const whole = (texts: readonly string[]) => `{"RequestItems":{"pages":[${texts.map((text, n) => item(n, text)).join(',')}]}}`;
  const plain = Array.from({ length: 25 }, () => 'x'.repeat(CHARACTERS));
  let missing = bytes - whole(plain).length;
  const texts = plain.map(() => {
    const escapes = Math.min(CHARACTERS, Math.floor(missing / (ESCAPE.length - 1)));
    missing -= escapes * (ESCAPE.length - 1);
    return ESCAPE.repeat(escapes) + 'x'.repeat(CHARACTERS - escapes);
  });
  // What is left is less than an escape: spaces between tokens are JSON too.
  return Buffer.from(`${whole(texts)}${' '.repeat(missing)}`);
}

function rawScan(endpoint: string): Promise<{ encoding: string | undefined; crc32: number; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'DynamoDB_20120810.Scan', 'accept-encoding': 'gzip' };
    const call = request(endpoint, { method: 'POST', headers }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () =>
        resolve({
          encoding: answer.headers['content-encoding'],
          crc32: Number(answer.headers['x-amz-crc32']),
          body: Buffer.concat(chunks),
        }),
      );
    });
    call.on('error', reject);
    call.end(JSON.stringify({ TableName: 'pages', Limit: 50 }));
  });
}
