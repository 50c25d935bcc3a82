// A program of a person's: the AWS SDK for JavaScript as it comes, with what its environment says and nothing else. It says a word, waits
// until the model has said it back, and says the next.
import { readFileSync } from 'node:fs';
import {
  BedrockRuntimeClient,
  InvokeModelCommand,
  InvokeModelWithBidirectionalStreamCommand,
  type InvokeModelWithBidirectionalStreamInput,
} from '@aws-sdk/client-bedrock-runtime';
import { tunnel } from './tunnel.ts';

const words = ['one', 'two', 'three'];
const region = 'us-east-1';
const modelId = 'amazon.nova-sonic-v1:0';
const { HTTPS_PROXY: proxy, AWS_CA_BUNDLE: bundle } = process.env;

// The SDK leaves proxies to its caller.
const viaProxy = async () => {
  if (proxy === undefined || bundle === undefined) return {};
  const socket = await tunnel({ proxy, host: `bedrock-runtime.${region}.amazonaws.com`, ca: readFileSync(bundle) });
  return { requestHandler: { nodeHttp2ConnectOptions: { createConnection: () => socket } } };
};

const heard: string[] = [];
let wake = Promise.withResolvers<void>();
async function* saying(): AsyncGenerator<InvokeModelWithBidirectionalStreamInput> {
  for (const [at, word] of words.entries()) {
    yield { chunk: { bytes: Buffer.from(word) } };
    while (heard.length <= at) await wake.promise;
  }
}

const client = new BedrockRuntimeClient({ region, ...(await viaProxy()) });
const { body } = await client.send(new InvokeModelWithBidirectionalStreamCommand({ modelId, body: saying() }));
for await (const { chunk } of body ?? []) {
  heard.push(Buffer.from(chunk?.bytes ?? []).toString());
  wake.resolve();
  wake = Promise.withResolvers();
}
const plain = new BedrockRuntimeClient({ region, ...(await viaProxy()) });
const invoked = await plain.send(new InvokeModelCommand({ modelId, body: 'whole' }));
console.log(JSON.stringify({ heard, whole: JSON.parse(invoked.body.transformToString()) as unknown }));
process.exit(0);
