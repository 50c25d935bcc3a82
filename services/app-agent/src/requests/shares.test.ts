import { limits } from '@postern/limits';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FarSide, headOf, rawClient, type RawClient, startFarSide } from '#testing/far-side.ts';
import { type LocalAgent, sessionOf, startLocalAgent } from '#testing/local-agent.ts';
import { signedCall, signedHeaders } from '#testing/signed-call.ts';

const LIST = '/?max-buckets=5';
let agent: LocalAgent;
/** Stands for S3: it answers who lists buckets, and takes the first byte of whatever else comes. */
let far: FarSide;
const clients: RawClient[] = [];
beforeEach(async () => {
  far = await startFarSide(({ socket }) => {
    socket.on('data', (piece) => {
      if (piece.toString('latin1').startsWith(`GET ${LIST} `)) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
  });
  agent = await startLocalAgent({ env: { AWS_ENDPOINT_URL_S3: far.url } });
});
afterEach(async () => {
  for (const { socket } of clients.splice(0)) socket.destroy();
  await agent.stop();
  far.close();
});

const as = (user: string) => agent.setSession(sessionOf({ user, standing: agent.standing }));
const list = () => signedCall(agent, { service: 's3', method: 'GET', path: LIST });

/** An upload of which one byte comes. */
async function holdUpload(): Promise<void> {
  const headers = await signedHeaders(agent, {
    service: 's3',
    method: 'PUT',
    path: '/files/slow',
    headers: { 'content-length': '1000', 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' },
  });
  const client = await rawClient(agent.port);
  clients.push(client);
  client.send(`${headOf('PUT', '/files/slow', headers)}x`);
}

describe('the attacker', () => {
  it('holds upload after upload: his own are refused at last, and others are served as before', async () => {
    const most = limits.awsConnectionsPerHost / 2;
    as('alice');
    for (let at = 0; at < most - 1; at += 1) await holdUpload();
    await expect.poll(() => far.connections.length, { timeout: 10_000 }).toBe(most - 1);
    expect((await list()).status).toBe(200);
    await holdUpload();
    await expect.poll(() => agent.service.underWay, { timeout: 10_000 }).toBe(most);

    const refused = await list();
    expect(refused.status).toBe(503);
    expect(refused.headers['retry-after']).toBe('1');
    expect(refused.text).toMatch(/<Code>(?:ServiceUnavailable|SlowDown)<\/Code>/);
    const why = `alice has ${most} requests to s3.us-east-1.amazonaws.com under way, as many as one user may: send fewer at a time`;
    expect(refused.text).toContain(`<Message>${why}</Message>`);
    expect(agent.events.at(-1)).toMatchObject({ user: 'alice', fields: { phase: 'refusal', error: why, status_code: 503 } });

    as('bob');
    expect(await list()).toMatchObject({ status: 200, text: 'ok' });

    as('alice');
    for (const { socket } of clients.splice(0)) socket.destroy();
    await expect.poll(async () => (await list()).status).toBe(200);
  }, 30_000);
});
