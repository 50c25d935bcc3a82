// What a careful person writes to sign for others: node:http, @smithy/signature-v4, node:https with connections kept. It judges nobody and
// records nothing. `node signing-proxy.mjs UPSTREAM_URL REGION` signs for DynamoDB in the region, dials the URL and prints its port.
import { createHash, createHmac } from 'node:crypto';
import { createServer, Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { pipeline } from 'node:stream';
import { SignatureV4 } from '@smithy/signature-v4';

const [, , upstreamUrl, region] = process.argv;
const upstream = new URL(upstreamUrl);
const awsHost = `dynamodb.${region}.amazonaws.com`;
const [Agent, request] = upstream.protocol === 'http:' ? [HttpAgent, httpRequest] : [HttpsAgent, httpsRequest];
const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY, maxFreeSockets: 256, noDelay: true });
const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = process.env;
/** RFC 9110, 7.6.1. */
const OF_ONE_HOP = ['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'];
const SIGNED_ANEW = ['host', 'content-length', 'authorization', 'x-amz-date', 'x-amz-security-token', 'x-amz-content-sha256'];
const NOT_SENT_ON = new Set([...OF_ONE_HOP, ...SIGNED_ANEW]);
const NOT_SENT_BACK = new Set(OF_ONE_HOP);

/** Node's own hashes: they cost a fraction of @aws-crypto/sha256-js, which is written in JavaScript. */
class Sha256 {
  #hash;
  constructor(secret) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret);
  }
  update(data) {
    this.#hash.update(data);
  }
  digest() {
    return Promise.resolve(this.#hash.digest());
  }
}

const signer = new SignatureV4({
  service: 'dynamodb',
  region,
  credentials: { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY },
  sha256: Sha256,
  applyChecksum: false,
});

const server = createServer({ noDelay: true, keepAliveTimeout: 120_000 }, (incoming, answer) => {
  const chunks = [];
  incoming.on('data', (chunk) => chunks.push(chunk));
  incoming.on('end', () => {
    const body = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
    forward(incoming, body, answer).catch((error) => refuse(answer, error));
  });
});

async function forward(incoming, body, answer) {
  const headers = { host: awsHost, 'content-length': String(body.length) };
  for (const [name, value] of Object.entries(incoming.headers)) if (!NOT_SENT_ON.has(name)) headers[name] = value;
  const { method, url: path } = incoming;
  const signed = await signer.sign({ method, protocol: 'https:', hostname: awsHost, path, query: {}, headers, body });
  const { hostname, port } = upstream;
  const outgoing = request({ agent, hostname, port, servername: hostname, method, path, headers: signed.headers }, (received) => {
    const kept = Object.entries(received.headers).filter(([name]) => !NOT_SENT_BACK.has(name));
    answer.writeHead(received.statusCode, Object.fromEntries(kept));
    pipeline(received, answer, (error) => error && answer.destroy());
  });
  outgoing.on('error', (error) => refuse(answer, error));
  outgoing.end(body);
}

function refuse(answer, error) {
  if (answer.headersSent) return answer.destroy();
  answer.writeHead(502, { 'content-type': 'text/plain' }).end(`${error.message}\n`);
}

server.listen(0, '127.0.0.1', () => process.stdout.write(`listening on ${server.address().port}\n`));
