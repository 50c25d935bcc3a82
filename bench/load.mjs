// The load: connections that each send a request as soon as the answer to the one before is whole.
import { connect as connectPlain } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { MessageCounter } from './message-counter.mjs';

/** As an SDK sends it, signature included: what has to be read, judged and replaced. */
function requestFor(operation, port) {
  const body = '{"TableName":"fruit","Key":{"id":{"S":"0123456789abcdef0123456789abcdef"}}}';
  return Buffer.from(
    [
      'POST / HTTP/1.1',
      `Host: localhost:${port}`,
      `X-Amz-Target: DynamoDB_20120810.${operation}`,
      'Content-Type: application/x-amz-json-1.0',
      'User-Agent: aws-sdk-js/3.1100.0 ua/2.1 os/linux lang/js md/nodejs#24.21.0 api/dynamodb#3.1100.0 m/E,b',
      'amz-sdk-invocation-id: 2f3f8a1e-7f0c-4d1c-9a53-4a5a6b0c7d11',
      'amz-sdk-request: attempt=1; max=3',
      'X-Amz-Date: 20260101T000000Z',
      `Authorization: AWS4-HMAC-SHA256 Credential=none/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=${'0'.repeat(64)}`,
      'Connection: keep-alive',
      `Content-Length: ${body.length}`,
      '',
      body,
    ].join('\r\n'),
  );
}

/**
 * Runs for `ms`; `target` is { port } for plain HTTP on loopback or { port, ca } for TLS with resumption. Any answer but 200 ends it: a
 * refusal is quick, and a figure made of refusals is worth nothing. `clientShare` is how much of one processor the load itself took,
 * `resumed` how many of the handshakes were abbreviated, both 0 to 1.
 */
export async function load(target, { connections, ms, connectEach = false, operation = 'GetItem' }) {
  const run = {
    until: performance.now() + ms,
    request: requestFor(operation, target.port),
    latencies: [],
    connectEach,
    tlsSession: undefined,
    handshakes: 0,
    resumed: 0,
  };
  const started = performance.now();
  const cpuBefore = process.cpuUsage();
  await Promise.all(Array.from({ length: connections }, () => drive(target, run)));
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  const sorted = Float64Array.from(run.latencies).sort();
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return {
    requests: sorted.length,
    perSecond: sorted.length / seconds,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    clientShare: (user + system) / 1e6 / seconds,
    resumed: run.handshakes === 0 ? 0 : run.resumed / run.handshakes,
  };
}

async function drive(target, run) {
  do await converse(target, run);
  while (run.connectEach && performance.now() < run.until);
}

function converse(target, run) {
  return new Promise((resolve, reject) => {
    let sentAt = performance.now();
    const socket = dial(target, run);
    const done = () => {
      socket.destroy();
      resolve();
    };
    const answers = new MessageCounter((head) => {
      const now = performance.now();
      if (!head.startsWith('HTTP/1.1 200 ')) return socket.destroy(new Error(`refused: ${head.slice(0, 300)}`));
      run.latencies.push(now - sentAt);
      if (run.connectEach || now >= run.until) return done();
      sentAt = now;
      socket.write(run.request);
    });
    socket.on('data', (chunk) => answers.take(chunk));
    socket.on('error', reject);
    socket.on('end', () => reject(new Error('the connection was closed')));
    socket.write(run.request);
  });
}

function dial({ port, ca }, run) {
  if (ca === undefined) return connectPlain({ port, host: '127.0.0.1', noDelay: true });
  const options = {
    port,
    host: '127.0.0.1',
    servername: 'localhost',
    ca,
    ...(run.tlsSession === undefined ? {} : { session: run.tlsSession }),
  };
  const socket = connectTls(options);
  socket.setNoDelay(true);
  socket.on('secureConnect', () => {
    run.handshakes += 1;
    if (socket.isSessionReused()) run.resumed += 1;
  });
  socket.on('session', (session) => {
    run.tlsSession = session;
  });
  return socket;
}
