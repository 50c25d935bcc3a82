import type { LiveSession } from '@postern/agent';
import { afterEach, describe, expect, it } from 'vitest';
import { BEDROCK_HOST, http2To, openEvents } from '#testing/event-stream.ts';
import { type FarSide, headOf, rawClient, type RawClient, startFarSide } from '#testing/far-side.ts';
import { allowReader, type LocalAgent, type LocalAgentOptions, ROLE, sessionOf, startLocalAgent } from '#testing/local-agent.ts';
import { selfSigned } from '#testing/self-signed.ts';
import { type Call, signedCall, signedHeaders } from '#testing/signed-call.ts';

const TUNNELLED = 'ssmmessages.us-east-1.amazonaws.com';
const REASON = `denied by role dev: deny.aws_role_arns ${ROLE}`;
const listObjects: Call = { service: 's3', method: 'GET', path: '/bucket' };
const undo: (() => unknown)[] = [];
let agent: LocalAgent;
let far: FarSide;
let session: LiveSession;
afterEach(async () => {
  for (const one of undo.splice(0)) await one();
});

/** The far side stands for S3, Lambda and Session Manager, the emulator for the rest. */
async function start(options: LocalAgentOptions = {}): Promise<void> {
  far = await startFarSide();
  const env = { AWS_ENDPOINT_URL_S3: far.url, AWS_ENDPOINT_URL_LAMBDA: far.url, AWS_ENDPOINT_URL_SSMMESSAGES: far.url };
  agent = await startLocalAgent({ env, ...options });
  undo.push(
    () => agent.stop(),
    () => far.close(),
  );
  session = sessionOf({ standing: agent.standing });
  agent.setSession(session);
}

function deny(): void {
  agent.setRoles([{ ...allowReader, deny: { awsRoleArns: [ROLE] } }]);
}
/** As the sweep does it. */
const look = () => session.review(2, {});
const last = (phase: string) => agent.events.findLast(({ fields }) => fields['phase'] === phase)?.fields;
const soon = <T>(ask: () => T) => expect.poll(ask, { timeout: 10_000 });

async function begin(call: Call, sent = ''): Promise<RawClient> {
  const client = await rawClient(agent.port);
  undo.push(() => client.socket.destroy());
  client.send(headOf(call.method ?? 'POST', call.path ?? '/', await signedHeaders(agent, call)) + sent);
  return client;
}

describe('an edit of a role', () => {
  it('cuts a download in its middle, here and at AWS, and the outcome says why', async () => {
    await start();
    const client = await begin(listObjects);
    await soon(() => far.connections[0]?.text()).toContain('\r\n\r\n');
    far.connections[0]?.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf');
    await soon(() => client.said()).toContain('half');
    look();
    expect([client.isClosed(), last('outcome')]).toEqual([false, undefined]);
    deny();
    session.review(3, {});
    await soon(() => client.isClosed()).toBe(true);
    await soon(() => far.connections[0]?.isClosed()).toBe(true);
    await soon(() => last('outcome')).toMatchObject({ outcome: 'unknown', status_code: 200, error: REASON, bytes: 4 });
  });

  it('answers who waits for AWS with the reason, and that AWS may have acted', async () => {
    await start();
    const asked = signedCall(agent, listObjects);
    await soon(() => far.connections[0]?.text()).toContain('\r\n\r\n');
    deny();
    look();
    const { status, text } = await asked;
    expect([status, text]).toEqual([403, expect.stringMatching(/AccessDenied.*denied by role dev: .*AWS may have acted/s)]);
    expect(last('outcome')).toMatchObject({ outcome: 'unknown', error: REASON });
  });

  it('cuts an upload before its last byte, which is then nothing to AWS', async () => {
    await start();
    const headers = { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', 'content-length': '100000' };
    const client = await begin({ service: 's3', method: 'PUT', path: '/bucket/key', headers }, 'half');
    await soon(() => far.connections[0]?.text()).toContain('half');
    deny();
    look();
    await soon(() => far.connections[0]?.isClosed()).toBe(true);
    await soon(() => client.said()).toMatch(/^HTTP\/1\.1 403 .*denied by role dev/s);
    await soon(() => last('outcome')).toMatchObject({ outcome: 'not_sent', error: expect.stringContaining(REASON) as string });
  });

  it('answers at once whose body is held still, and nothing leaves', async () => {
    await start();
    const headers = { 'content-length': '100000', expect: '100-continue' };
    const client = await begin({ service: 'lambda', method: 'POST', path: '/2015-03-31/functions/echo/invocations', headers });
    await soon(() => client.said()).toContain('100 Continue');
    client.send('half');
    deny();
    look();
    await soon(() => client.said()).toMatch(/HTTP\/1\.1 403 .*denied by role dev/s);
    await soon(() => last('refusal')).toMatchObject({ error: REASON, status_code: 403 });
    expect(far.connections).toEqual([]);
  });

  it('counts for what waits for the disk and for STS, without a look: it is asked for right before it is sent', async () => {
    await start();
    agent.emulator.setMode('AssumeRole', { delayMs: 500 });
    const asked = signedCall(agent, listObjects);
    await soon(() => agent.emulator.log().length).toBe(1);
    deny();
    expect(await asked).toMatchObject({ status: 403, text: expect.stringContaining('denied by role dev') as string });
    expect(last('outcome')).toMatchObject({ outcome: 'not_sent', error: REASON });
    expect(far.connections).toEqual([]);
  });

  it('ends an event stream with a message that says why', async () => {
    await start({ tls: selfSigned() });
    agent.setFacts({ connectHost: BEDROCK_HOST, isHttp2: true });
    const http2 = http2To(agent.port);
    undo.push(() => http2.destroy());
    const conversation = await openEvents(http2);
    await conversation.say('one');
    await soon(() => conversation.heard()).toEqual(['one']);
    deny();
    look();
    await conversation.closed;
    expect(conversation.raw()).toMatch(/AccessDenied.*denied by role dev/s);
    await soon(() => last('outcome')).toMatchObject({ outcome: 'unknown', status_code: 200, error: REASON });
  });

  it('closes a tunnel, and its outcome says why', async () => {
    await start();
    agent.setFacts({ tunnelHost: TUNNELLED });
    const client = await rawClient(agent.port);
    client.send('hello');
    await soon(() => far.connections[0]?.text()).toBe('hello');
    deny();
    look();
    await soon(() => [client.isClosed(), far.connections[0]?.isClosed()]).toEqual([true, true]);
    await soon(() => last('outcome')).toMatchObject({ outcome: 'unknown', error: REASON, request_bytes: 5 });
  });

  it('leaves alone what it still allows', async () => {
    await start();
    const asked = signedCall(agent, listObjects);
    await soon(() => far.connections[0]?.text()).toContain('\r\n\r\n');
    agent.setRoles([{ ...allowReader, name: 'another' }]);
    look();
    far.connections[0]?.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    expect(await asked).toMatchObject({ status: 200, text: 'ok' });
  });

  it('that nobody can decide by refuses', async () => {
    await start();
    const asked = signedCall(agent, listObjects);
    await soon(() => far.connections[0]?.text()).toContain('\r\n\r\n');
    const fails = () => {
      throw new Error('a role of nonsense');
    };
    agent.setStanding({ check: fails, authorize: fails, awsCredentialOperations: fails });
    look();
    expect(await asked).toMatchObject({ status: 403, text: expect.stringContaining('cannot be decided') as string });
    expect((await signedCall(agent, listObjects)).status).toBe(403);
    expect(far.connections).toHaveLength(1);
  });
});
