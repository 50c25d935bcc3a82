// Stands for DynamoDB: an HTTPS server that answers every request with the same bytes. `node upstream.mjs KEY CERT BYTES` prints its port.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:tls';
import { MessageCounter } from './message-counter.mjs';

const [, , key, cert, bytes] = process.argv;
const padding = 'x'.repeat(Math.max(0, Number(bytes) - '{"Item":{"id":{"S":""}}}'.length));
const body = `{"Item":{"id":{"S":"${padding}"}}}`;
const answer = Buffer.from(
  [
    'HTTP/1.1 200 OK',
    'Server: Server',
    `Date: ${new Date().toUTCString()}`,
    'Content-Type: application/x-amz-json-1.0',
    `Content-Length: ${body.length}`,
    'Connection: keep-alive',
    'x-amzn-RequestId: 7BGQKN5B0P2N3HV4KQNSO5AEMVJF66Q9ASUAAJG',
    'x-amz-crc32: 2745614147',
    '',
    body,
  ].join('\r\n'),
);

const server = createServer({ key: readFileSync(key), cert: readFileSync(cert), noDelay: true }, (socket) => {
  const requests = new MessageCounter(() => socket.write(answer));
  socket.on('data', (chunk) => requests.take(chunk));
  socket.on('error', () => socket.destroy());
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`listening on ${server.address().port}\n`));
