import { createHash } from 'node:crypto';
import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { BEDROCK_HOST, http2To } from '#testing/event-stream.ts';
import { type FarConnection, type FarSide, headOf, rawClient, type RawClient, startFarSide } from '#testing/far-side.ts';
import { type LocalAgent, startLocalAgent } from '#testing/local-agent.ts';
import { selfSigned } from '#testing/self-signed.ts';
import { type Call, signedHeaders } from '#testing/signed-call.ts';

let agent: LocalAgent;
let far: FarSide;
const undo: (() => void)[] = [];
afterEach(async () => {
  for (const one of undo.splice(0)) one();
  await agent.stop();
});

async function start(service: 'S3' | 'KINESISVIDEO'): Promise<void> {
  far = await startFarSide();
  undo.push(() => far.close());
  agent = await startLocalAgent({ env: { [`AWS_ENDPOINT_URL_${service}`]: far.url } });
}
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const outcome = () => agent.events.findLast(({ fields }) => fields['phase'] === 'outcome')?.fields;

/** Opens a connection and sends the head of a signed request. */
async function begin(call: Call, unsigned: Readonly<Record<string, string>> = {}): Promise<RawClient> {
  const client = await rawClient(agent.port);
  undo.push(() => client.socket.destroy());
  const headers = await signedHeaders(agent, call);
  client.send(headOf(call.method ?? 'POST', call.path ?? '/', { ...headers, ...unsigned }));
  return client;
}

/** The connection of AWS on which so much has come. */
async function aws(text: string): Promise<FarConnection> {
  const found = () => far.connections.find((connection) => connection.text().includes(text));
  await expect.poll(found).toBeDefined();
  const connection = found();
  if (connection === undefined) throw new Error('nobody came');
  return connection;
}

describe('a body that AWS answers before its end', () => {
  const early = 'HTTP/1.1 200 OK\r\nx-amzn-RequestId: EARLY\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nACK-1\r\n';
  const acted = { outcome: 'unknown', status_code: 200, aws_request_id: 'EARLY' };

  // It was told to be not_sent: with its status, and with what AWS had acknowledged.
  it.each([undefined, 'UNSIGNED-PAYLOAD', 'STREAMING-UNSIGNED-PAYLOAD-TRAILER', sha256('')])(
    'and whose client leaves then has been acted on: a camera’s, whatever is said of it (%s)',
    async (line) => {
      await start('KINESISVIDEO');
      const host = 's-1234abcd.kinesisvideo.us-east-1.amazonaws.com';
      agent.setFacts({ connectHost: host });
      const headers = { 'x-amzn-stream-name': 'door', ...(line === undefined ? {} : { 'x-amz-content-sha256': line }) };
      const putMedia = { service: 'kinesisvideo', method: 'POST', path: '/putMedia', host, headers };
      const client = await begin(putMedia, { 'transfer-encoding': 'chunked' });
      client.send('3\r\none\r\n');
      (await aws('one\r\n')).socket.write(early);
      await expect.poll(() => client.said()).toContain('ACK-1');
      client.socket.destroy();
      await expect.poll(outcome).toMatchObject(acted);

      // Without an answer as well: each fragment is acted on as it comes.
      const unheard = await begin(putMedia, { 'transfer-encoding': 'chunked' });
      unheard.send('5\r\nthree\r\n');
      await aws('three\r\n');
      unheard.socket.destroy();
      await expect.poll(outcome).toMatchObject({ outcome: 'unknown', status_code: 0 });
    },
  );

  it('and whose client leaves then, or sends another body than it signed, has been acted on in any other case too', async () => {
    await start('S3');
    const put = (path: string, length: number, line: string): Call => {
      const headers = { 'content-length': String(length), 'x-amz-content-sha256': line };
      return { service: 's3', method: 'PUT', path, headers };
    };
    const left = await begin(put('/files/a', 1_000_000, 'UNSIGNED-PAYLOAD'));
    left.send(Buffer.alloc(200_000));
    (await aws('PUT /files/a')).socket.write(early);
    await expect.poll(() => left.said()).toContain('ACK-1');
    left.socket.destroy();
    await expect.poll(outcome).toMatchObject({ ...acted, error: expect.stringContaining('the client left') as unknown });

    const wrong = await begin(put('/files/b', 300_000, sha256('other')));
    wrong.send(Buffer.alloc(200_000));
    (await aws('PUT /files/b')).socket.write(early);
    await expect.poll(() => wrong.said()).toContain('ACK-1');
    wrong.send(Buffer.alloc(100_000));
    await expect.poll(() => wrong.isClosed()).toBe(true);
    await expect.poll(outcome).toMatchObject({ ...acted, error: expect.stringContaining('does not match') as unknown });
  });

  it('and whose client leaves then has been acted on over HTTP/2 too', async () => {
    const tls = selfSigned();
    const bedrock = createSecureServer(tls);
    bedrock.on('stream', (stream) => {
      stream.on('error', () => undefined);
      stream.respond({ ':status': 200, 'x-amzn-requestid': 'EARLY' });
      stream.write('half');
    });
    await new Promise<void>((resolve) => bedrock.listen(0, '127.0.0.1', resolve));
    undo.push(() => bedrock.close());
    agent = await startLocalAgent({
      tls,
      env: { AWS_ENDPOINT_URL_BEDROCK: `https://localhost:${(bedrock.address() as AddressInfo).port}` },
    });
    agent.setFacts({ connectHost: BEDROCK_HOST, isHttp2: true });
    const session = http2To(agent.port);
    undo.push(() => session.destroy());
    const path = '/model/m/invoke';
    const headers = await signedHeaders(agent, {
      service: 'bedrock',
      path,
      host: BEDROCK_HOST,
      headers: { 'content-length': '100000', 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' },
    });
    const stream = session.request({ ':method': 'POST', ...headers, ':path': path });
    stream.on('error', () => undefined);
    stream.write('x');
    await new Promise((resolve) => stream.once('data', resolve));
    stream.close(8);
    await expect.poll(outcome, { timeout: 10_000 }).toMatchObject({ outcome: 'unknown', status_code: 200, aws_request_id: 'EARLY' });
  });
});
