import { connect, createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { callFrames, PREFACE, resetFrame } from '@postern/test-harness/http2-frames.ts';
import { freePort } from '@postern/test-harness/processes.ts';
import { DATABASE } from '@postern/test-harness/stage.ts';

/** A place where strangers or users hand in bytes, and what well-formed ones look like there. */
export interface Door {
  readonly corpus: readonly Buffer[];
  open(): Duplex;
}

const http = (head: readonly string[], body = '') =>
  Buffer.from([...head, `Content-Length: ${Buffer.byteLength(body)}`, '', body].join('\r\n'));

/** To the local port of tsh: the agent's HTTP parser, its checks, its records. */
export function localPort(port: number): Door {
  const of = (operation: string, body: string) =>
    http(
      [
        'POST / HTTP/1.1',
        `Host: localhost:${port}`,
        'Content-Type: application/x-amz-json-1.0',
        `X-Amz-Target: DynamoDB_20120810.${operation}`,
        'Authorization: AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0',
      ],
      body,
    );
  return {
    open: () => connect(port, '127.0.0.1'),
    corpus: [
      of('GetItem', '{"TableName":"faults","Key":{"id":{"S":"one"}}}'),
      of('Query', '{"TableName":"faults","KeyConditionExpression":"id = :a","ExpressionAttributeValues":{":a":{"S":"one"}}}'),
      of('BatchGetItem', '{"RequestItems":{"faults":{"Keys":[{"id":{"S":"one"}}]}}}'),
      of('ExecuteStatement', '{"Statement":"SELECT * FROM \\"faults\\" WHERE id = \'one\'"}'),
      of('TransactWriteItems', '{"TransactItems":[{"Delete":{"TableName":"faults","Key":{"id":{"S":"gone"}}}}]}'),
      Buffer.from(
        `POST / HTTP/1.1\r\nHost: localhost:${port}\r\nX-Amz-Target: DynamoDB_20120810.ListTables\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\nTrailer: x\r\n\r\n`,
      ),
      http(['OPTIONS * HTTP/1.1', `Host: localhost:${port}`, 'Origin: https://example.com']),
    ],
  };
}

/** To the proxy's port, before anything is known of who comes: the first bytes of TLS. */
export async function firstBytes(port: number): Promise<Door> {
  const names = [
    'localhost',
    'auth.postern.internal',
    `${'0'.repeat(32)}.session.postern.internal`,
    'tunnel.postern.internal',
    'nobody.example',
  ];
  return { open: () => connect(port, '127.0.0.1'), corpus: await Promise.all(names.map(clientHello)) };
}

/** What Node's own client says first. */
async function clientHello(servername: string): Promise<Buffer> {
  const port = await freePort();
  return new Promise((resolve) => {
    const server = createServer((socket: Socket) => {
      socket
        .on('error', () => undefined)
        .once('data', (bytes) => {
          resolve(Buffer.from(bytes));
          socket.destroy();
          server.close();
        });
    }).listen(port, '127.0.0.1', () => {
      connectTls({ port, host: '127.0.0.1', servername, ALPNProtocols: ['h2'] }).on('error', () => undefined);
    });
  });
}

const within = (port: number, servername: string, protocol: string) => () =>
  connectTls({ port, host: '127.0.0.1', servername, ALPNProtocols: [protocol], rejectUnauthorized: false });

/** To the proxy's web server. */
export function webServer(port: number): Door {
  const get = (path: string) => http([`GET ${path} HTTP/1.1`, `Host: localhost:${port}`, 'Accept: */*', 'Cookie: a=b; a=c']);
  return {
    open: within(port, 'localhost', 'http/1.1'),
    corpus: [
      get('/v1/webapi/find'),
      get('/readyz'),
      get('/web/../%2e%2e/etc/passwd?x=%'),
      http(['POST /v1/webapi/find HTTP/1.1', 'Host: x'], '{}'),
    ],
  };
}

/** To auth, through the proxy or at its own port: HTTP/2 frames and gRPC messages of somebody who has no certificate. */
export function grpcOfAuth(port: number): Door {
  const message = (stream: number, body: Buffer) => {
    const head = Buffer.alloc(9);
    head.writeUIntBE(body.length + 5, 0, 3);
    head.writeUInt32BE(stream, 5);
    head.writeUInt8(1, 4);
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(body.length, 1);
    return Buffer.concat([head, prefix, body]);
  };
  const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
  const fields = (...texts: string[]) =>
    Buffer.concat(texts.map((text, n) => Buffer.concat([Buffer.from([((n + 1) << 3) | 2, text.length]), Buffer.from(text)])));
  const call = (method: string, body: Buffer) => {
    const path = `/postern.v1.${method}`;
    return Buffer.concat([PREFACE, settings, callFrames(1, path), message(1, body), callFrames(3, path), resetFrame(3)]);
  };
  return {
    open: within(port, 'auth.postern.internal', 'h2'),
    corpus: [
      call('Login/SignIn', fields('mallory', 'no password of anybody')),
      call('Join/Join', fields('no-token', 'db', 'a-host', '0.1.0', 'not a key')),
      call('Certs/IssueSessionCert', fields('key', 'db', DATABASE, 'role')),
      call('Audit/AppendEvents', fields('an event', 'another')),
      call('Nothing/AtAll', Buffer.alloc(0)),
    ],
  };
}
