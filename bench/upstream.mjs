// Stands for DynamoDB: an HTTPS server that answers each operation with an item of a size of its own.
// `node upstream.mjs KEY CERT GetItem=300 Scan=1000000` prints its port.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:tls';
import { MessageCounter } from './message-counter.mjs';

const [, , key, cert, ...sizes] = process.argv;
const PIECE = Buffer.alloc(64 * 1024, 'x');
const [before, after] = [Buffer.from('{"Item":{"id":{"S":"'), Buffer.from('"}}}')];
/** Above this an answer is made while it is sent, as fast as it is taken. */
const WHOLE_BYTES = 1024 * 1024;

const answers = new Map(sizes.map((size) => size.split('=')).map(([operation, bytes]) => [operation, answerOf(Number(bytes))]));

function answerOf(bytes) {
  const head = Buffer.from(
    [
      'HTTP/1.1 200 OK',
      'Server: Server',
      `Date: ${new Date().toUTCString()}`,
      'Content-Type: application/x-amz-json-1.0',
      `Content-Length: ${bytes}`,
      'Connection: keep-alive',
      'x-amzn-RequestId: 7BGQKN5B0P2N3HV4KQNSO5AEMVJF66Q9ASUAAJG',
      'x-amz-crc32: 2745614147',
      '',
      '',
    ].join('\r\n'),
  );
  const padding = bytes - before.length - after.length;
  return bytes <= WHOLE_BYTES ? { whole: Buffer.concat([head, before, Buffer.alloc(padding, 'x'), after]) } : { head, padding };
}

function send(socket, { whole, head, padding }) {
  if (whole !== undefined) return socket.write(whole);
  socket.write(head);
  socket.write(before);
  let missing = padding;
  const more = () => {
    while (missing > 0) {
      const piece = PIECE.subarray(0, missing);
      missing -= piece.length;
      if (!socket.write(piece)) return socket.once('drain', more);
    }
    return socket.write(after);
  };
  more();
}

const server = createServer({ key: readFileSync(key), cert: readFileSync(cert), noDelay: true }, (socket) => {
  const requests = new MessageCounter((head) => {
    const operation = /\r\nx-amz-target: ?\w+\.(\w+)/i.exec(head)?.[1];
    const answer = answers.get(operation);
    if (answer === undefined) return socket.destroy(new Error(`no answer for ${operation}`));
    send(socket, answer);
  });
  socket.on('data', (chunk) => requests.take(chunk));
  socket.on('error', () => socket.destroy());
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`listening on ${server.address().port}\n`));
