// node packages/http/bench/forward.mjs [connections] [rounds]: CPU of a process that reads a request of 700 bytes from a TCP connection,
// sends it on over a pooled TLS connection and passes the answer of 600 bytes back: ours beside node:http with an https.Agent, in turns.
import { fork } from 'node:child_process';
import { createServer as createHttp } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { connect, createServer } from 'node:net';
import { createServer as createTls } from 'node:tls';
import { MessageCounter } from '../../../bench/message-counter.mjs';
import { HttpDoor, Origin, readWhole, BodyBudget } from '../src/index.ts';
import { selfSigned } from '../src/testing/certificate.ts';

const [, , role] = process.argv;
/** As an SDK sends it, signature included. */
const item = '{"TableName":"fruit","Key":{"id":{"S":"0123456789abcdef0123456789abcdef"}}}';
const request = Buffer.from(
  [
    'POST / HTTP/1.1',
    'Host: localhost',
    'X-Amz-Target: DynamoDB_20120810.GetItem',
    'Content-Type: application/x-amz-json-1.0',
    'User-Agent: aws-sdk-js/3.1100.0 ua/2.1 os/linux lang/js md/nodejs#24.21.0 api/dynamodb#3.1100.0 m/E,b',
    'amz-sdk-invocation-id: 2f3f8a1e-7f0c-4d1c-9a53-4a5a6b0c7d11',
    'amz-sdk-request: attempt=1; max=3',
    'X-Amz-Date: 20260101T000000Z',
    `Authorization: AWS4-HMAC-SHA256 Credential=none/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=${'0'.repeat(64)}`,
    'Connection: keep-alive',
    `Content-Length: ${item.length}`,
    '',
    item,
  ].join('\r\n'),
);
const listening = (server) => new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)));

const roles = {
  async upstream({ key, cert }) {
    const body = `{"Item":{"id":{"S":"${'x'.repeat(276)}"}}}`;
    const head = `HTTP/1.1 200 OK\r\nServer: Server\r\nDate: ${new Date().toUTCString()}\r\nContent-Type: application/x-amz-json-1.0\r\n`;
    const more = `Content-Length: ${body.length}\r\nConnection: keep-alive\r\nx-amzn-RequestId: 7BGQKN5B0P2N3HV4KQNSO5AEMVJF66Q9ASUAAJG\r\n\r\n`;
    const answer = Buffer.from(head + more + body);
    return listening(
      createTls({ key, cert, noDelay: true }, (socket) => {
        const requests = new MessageCounter(() => socket.write(answer));
        socket.on('data', (chunk) => requests.take(chunk)).on('error', () => socket.destroy());
      }),
    );
  },

  async ours({ port, cert }) {
    const origin = new Origin({
      host: 'localhost',
      port,
      isTls: true,
      isGuarded: false,
      ca: cert,
      limits: {
        connections: 256,
        connectMs: 10_000,
        headersMs: 60_000,
        idleMs: 60_000,
        keepAliveMs: 15_000,
        head: { maxBytes: 65_536, maxLines: 256 },
      },
    });
    const budget = new BodyBudget(1e9);
    const door = new HttpDoor({
      limits: { maxBytes: 16_384, maxLines: 100, headMs: 10_000, bodyIdleMs: 30_000, bodyMs: 300_000, maxDiscardBytes: 1e6 },
      onMalformed: (_context, fault) => ({ contentType: 'text/plain', body: Buffer.from(fault.message) }),
      onExchange: (exchange) => {
        const whole = readWhole(exchange, { maxBytes: 1e7, budget, owner: 'a' });
        // Head and body come in one piece here.
        if (whole instanceof Promise) return exchange.cut();
        origin.send(
          { method: 'POST', target: '/', fields: exchange.head.fields, body: whole.bytes },
          {
            wantsData: false,
            onHead: () => undefined,
            onWire: (bytes) => exchange.write(bytes),
            onEnd: () => {
              whole.release();
              exchange.end();
            },
            onFailed: () => exchange.cut(),
          },
        );
      },
    });
    return listening(createServer({ noDelay: true }, (socket) => door.accept(socket, undefined)));
  },

  async node({ port, cert }) {
    const agent = new Agent({ keepAlive: true, maxSockets: 256, ca: cert, servername: 'localhost', scheduling: 'lifo' });
    return listening(
      createHttp({ noDelay: true }, (asked, response) => {
        const chunks = [];
        asked.on('data', (chunk) => chunks.push(chunk));
        asked.on('end', () => {
          const sent = httpsRequest({ agent, host: 'localhost', port, method: 'POST', path: '/', headers: asked.rawHeaders }, (answer) => {
            response.writeHead(answer.statusCode, answer.rawHeaders);
            answer.pipe(response);
          });
          sent.on('error', () => response.destroy());
          sent.end(Buffer.concat(chunks));
        });
      }),
    );
  },
};

async function drive(port, connections, ms) {
  const until = performance.now() + ms;
  let count = 0;
  const one = () =>
    new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => socket.write(request));
      const answers = new MessageCounter((head) => {
        if (!head.startsWith('HTTP/1.1 200')) return reject(new Error(head));
        count += 1;
        if (performance.now() < until) return void socket.write(request);
        socket.destroy();
        resolve();
      });
      socket.on('data', (chunk) => answers.take(chunk)).on('error', reject);
    });
  await Promise.all(Array.from({ length: connections }, one));
  return count;
}

function start(name, given) {
  const child = fork(import.meta.filename, [name]);
  const ask = (message) =>
    new Promise((resolve) => {
      child.once('message', resolve);
      child.send(message);
    });
  return ask({ start: given }).then((port) => ({ name, port, cpu: () => ask('cpu'), stop: () => child.disconnect() }));
}

if (role in roles) {
  process.on('message', (message) => {
    if (message === 'cpu') {
      const { user, system } = process.cpuUsage();
      process.send(user + system);
    } else void roles[role](message.start).then((port) => process.send(port));
  });
  process.on('disconnect', () => process.exit());
} else {
  const connections = Number(process.argv[2] ?? 16);
  const rounds = Number(process.argv[3] ?? 3);
  const tls = selfSigned('DNS:localhost');
  const upstream = await start('upstream', tls);
  const both = [await start('ours', { ...tls, port: upstream.port }), await start('node', { ...tls, port: upstream.port })];
  const micros = { ours: [], node: [] };
  for (const one of both) await drive(one.port, connections, 1500);
  for (let round = 0; round < rounds; round += 1) {
    for (const { name, port, cpu } of both) {
      const before = await cpu();
      const requests = await drive(port, connections, 2000);
      micros[name].push(((await cpu()) - before) / requests);
    }
  }
  for (const [name, all] of Object.entries(micros))
    console.log(`${name.padEnd(5)} ${all.map((one) => one.toFixed(1)).join('  ')} µs of CPU a request`);
  for (const one of [...both, upstream]) one.stop();
}
