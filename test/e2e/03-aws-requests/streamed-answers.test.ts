import { readFileSync } from 'node:fs';
import { Agent as HttpsAgent } from 'node:https';
import { join } from 'node:path';
import { BedrockRuntimeClient, ConverseStreamCommand } from '@aws-sdk/client-bedrock-runtime';
import { InvokeWithResponseStreamCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { afterEach, describe, expect, it } from 'vitest';
import { clientEnv } from '#02-aws-guide/stage.ts';
import { arrivedAfter, BothDoors, doorNames } from '#03-aws-requests/both-doors.ts';
import { tunnel } from '#03-aws-requests/tunnel.ts';

const cannot = lacking('boto3');
const DELAY_MS = 100;
/** Of the time that the events took to be sent, so much has to lie between the first and the last that are read: held back, it would be none. */
const SHARE = 0.5;

const operations = {
  function: 'InvokeWithResponseStream',
  model: 'ConverseStream',
  select: 'SelectObjectContent',
  tail: 'StartLiveTail',
} as const;
const texts = {
  function: '0123456789',
  model: 'say all of this after me, word by word',
  select: '0\n1\n2\n3\n4\n5\n6\n7\n8\n',
  tail: 'line 0line 1line 2line 3line 4line 5line 6line 7',
} as const;

interface Read {
  readonly text: readonly string[];
  readonly seconds: readonly number[];
}

describe.skipIf(cannot !== undefined)('answers that are streams of events', () => {
  const stage = new BothDoors();
  const { cluster } = stage;
  afterEach(async () => {
    for (const operation of Object.values(operations)) await cluster.awsFault(operation, undefined);
  });
  const slowly = async () => {
    for (const operation of Object.values(operations)) await cluster.awsFault(operation, { messageDelayMs: DELAY_MS });
  };
  function expectOneByOne(what: string, { text, seconds }: Read): void {
    const spread = (seconds.at(-1) ?? 0) - (seconds[0] ?? 0);
    expect(spread, `${what}: ${seconds.join()}`).toBeGreaterThan(((text.length - 1) * DELAY_MS * SHARE) / 1000);
  }

  it('are read one by one by boto3, at both doors: of Lambda, Bedrock, S3 Select and the tail of a log', async () => {
    await slowly();
    await cluster.awsObject('us-east-1', { bucket: 'selected', key: 'lines', body: texts.select });
    const before = cluster.rawLog().length;
    const program = join(import.meta.dirname, 'streamed.py');
    const ask = async (name: (typeof doorNames)[number]) => {
      const line = `python3 ${program} '${name}' ${Object.keys(operations).join(' ')}`;
      return JSON.parse(await cluster.mustSh(line, { env: clientEnv(stage.doors[name].env) })) as Record<keyof typeof operations, Read>;
    };
    for (const told of await Promise.all(doorNames.map(ask)))
      for (const [what, read] of Object.entries(told)) {
        expect([what, read.text.join('')]).toEqual([what, texts[what as keyof typeof texts]]);
        expect(read.text.length).toBeGreaterThan(8);
        expectOneByOne(what, read);
      }
    const came = arrivedAfter(cluster, before).filter(({ operation }) => Object.values<string | undefined>(operations).includes(operation));
    expect(came.map(({ verified }) => verified)).toEqual(Array.from({ length: 8 }, () => true));
    expect(new Set(came.map(({ host }) => host))).toContain('stream-logs.us-east-1.amazonaws.com');
  });

  describe.each(doorNames)('through %s, to the AWS SDK for JavaScript', (name) => {
    const settings = () => {
      const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '', AWS_ENDPOINT_URL } = stage.doors[name].env;
      const credentials = { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY };
      const endpoint = AWS_ENDPOINT_URL === undefined ? {} : { endpoint: AWS_ENDPOINT_URL };
      return { region: 'us-east-1', credentials, maxAttempts: 1, ...endpoint };
    };
    const proxied = () => {
      const { HTTPS_PROXY = '', AWS_CA_BUNDLE } = stage.doors[name].env;
      return AWS_CA_BUNDLE === undefined ? undefined : { HTTPS_PROXY, ca: readFileSync(AWS_CA_BUNDLE) };
    };
    const lambdaClient = () => {
      const way = proxied();
      if (way === undefined) return new LambdaClient(settings());
      const httpsAgent = new HttpsAgent({ proxyEnv: { HTTPS_PROXY: way.HTTPS_PROXY }, ca: way.ca });
      return new LambdaClient({ ...settings(), requestHandler: { httpsAgent } });
    };

    it('come one by one over HTTP/2, as a model says them', async () => {
      await slowly();
      const way = proxied();
      const host = 'bedrock-runtime.us-east-1.amazonaws.com';
      const socket = way === undefined ? undefined : await tunnel({ proxy: way.HTTPS_PROXY, host, ca: way.ca });
      const through = socket === undefined ? {} : { requestHandler: { nodeHttp2ConnectOptions: { createConnection: () => socket } } };
      const client = new BedrockRuntimeClient({ ...settings(), ...through });
      const messages = [{ role: 'user' as const, content: [{ text: texts.model }] }];
      const answer = await client.send(new ConverseStreamCommand({ modelId: 'anthropic.claude-v2:1', messages }));
      const startedMs = performance.now();
      const text: string[] = [];
      const seconds: number[] = [];
      for await (const { contentBlockDelta } of answer.stream ?? []) {
        text.push(contentBlockDelta?.delta?.text ?? '');
        seconds.push((performance.now() - startedMs) / 1000);
      }
      client.destroy();
      expect(text.join('')).toBe(texts.model);
      expectOneByOne('ConverseStream', { text, seconds });
    });

    /** The first two events of a function's answer. */
    async function firstTwo(FunctionName: string, leaving = new AbortController()): Promise<readonly string[]> {
      const client = lambdaClient();
      const asked = new InvokeWithResponseStreamCommand({ FunctionName, Payload: texts.function });
      const answer = await client.send(asked, { abortSignal: leaving.signal });
      const events = answer.EventStream?.[Symbol.asyncIterator]();
      const read: string[] = [];
      while (read.length < 2) read.push(Buffer.from((await events?.next())?.value?.PayloadChunk?.Payload ?? []).toString());
      leaving.abort();
      client.destroy();
      return read;
    }

    it('come although their end never does', async () => {
      // Two events of eleven and a piece of the third, and nothing more while the connection stands.
      await cluster.awsFault(operations.function, { stallAfterBytes: 250, messageDelayMs: 1 });
      expect(await firstTwo('stalls')).toEqual(['0', '1']);
    });

    it('are not taken from AWS any longer for a client who left, and the audit log says so', async () => {
      await cluster.awsFault(operations.function, { messageDelayMs: 300 });
      const called = `left-${name.replaceAll(' ', '-')}`;
      expect(await firstTwo(called)).toEqual(['0', '1']);
      const outcome = await until('the outcome in the audit log', 20_000, async () => {
        const printed = await cluster.admin('tctl audit ls --kind=app.session.request --limit=1000 -f json');
        const events = JSON.parse(printed) as Record<string, unknown>[];
        return events.find((event) => String(event['path']).includes(called) && event['phase'] === 'outcome');
      });
      expect(outcome).toMatchObject({ outcome: 'unknown', status_code: 200, error: 'the client left before the answer was complete' });
      expect(outcome['bytes']).toBeLessThan(11 * 107);
    });
  });
});
