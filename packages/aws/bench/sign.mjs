// node packages/aws/bench/sign.mjs: microseconds of CPU for one signature and one verification of a GetItem, by hand, never in the tests.
import { hash } from 'node:crypto';
import { SigningKeys, signRequest, verifyRequest } from '../src/index.ts';

const credentials = {
  accessKeyId: 'ASIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  sessionToken: 'FwoGZXIvYXdzE'.padEnd(1100, 'Qx7/'),
};
const body = Buffer.from('{"TableName":"Music","Key":{"Artist":{"S":"No One You Know"},"SongTitle":{"S":"Call Me Today"}}}');
const keys = new SigningKeys();
const nowMs = Date.now();
const input = {
  method: 'POST',
  path: '/',
  query: '',
  host: 'dynamodb.us-east-1.amazonaws.com',
  headers: [
    ['Host', 'localhost:8000', 'User-Agent', 'aws-sdk-js/3.1100.0', 'Content-Type', 'application/x-amz-json-1.0'],
    ['X-Amz-Target', 'DynamoDB_20120810.GetItem', 'Content-Length', String(body.length), 'Connection', 'keep-alive'],
    ['amz-sdk-invocation-id', '7f6ea2a4-7e5b-4f2b-9a8e-0b8a3fbb7f10', 'amz-sdk-request', 'attempt=1; max=3'],
    ['X-Amz-Date', '20260101T000000Z', 'Authorization', 'AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/dynamodb/aws4_request'],
  ].flat(),
  payload: body,
  nowMs,
};
const scope = { nowMs, region: 'us-east-1', service: 'dynamodb' };
const sign = () => signRequest(input, keys.for(credentials, scope));
const signed = sign();
const request = { method: 'POST', path: '/', query: '', headers: signed.headers, bodySha256: hash('sha256', body), nowMs };
const verifier = { credentialsOf: () => credentials, keys };
if ('refusal' in verifyRequest(request, verifier)) throw new Error('the bench signs something that does not verify');

for (const [name, act] of Object.entries({ sign, verify: () => verifyRequest(request, verifier) })) {
  const rounds = [];
  for (let round = 0; round < 15; round += 1) {
    const before = process.cpuUsage();
    for (let i = 0; i < 20_000; i += 1) act();
    const { user, system } = process.cpuUsage(before);
    rounds.push((user + system) / 20_000);
  }
  rounds.sort((a, b) => a - b);
  console.log(`${name}: median ${rounds[7].toFixed(2)} µs, best ${rounds[0].toFixed(2)} µs`);
}
