import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { Cluster, ROLE } from '@postern/test-harness/cluster.ts';
import { until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDoor, openStage, ROLE_ARN } from '#02-aws-guide/stage.ts';

const cannot = lacking('openssl');
const HOST = 'ssmmessages.us-east-1.amazonaws.com';
const CHANNEL = '/v1/data-channel/alice-0123456789abcdef0?role=publish_subscribe';
/** A lock reaches agents within a second or two; a machine that is busy otherwise takes longer. */
const LOCKED_MS = 10_000;

/** A message in one frame, masked as a client's are; the mask is none, since nothing here is hidden. RFC 6455. */
const frame = (text: string) => Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);
const answered = (text: string) => Buffer.concat([Buffer.from([0x81, text.length]), Buffer.from(text)]);

/**
 * The data channel of Session Manager: a WebSocket whose token StartSession gave out, over TLS of the client's own. It carries no signature, so
 * its bytes pass as they are, after the same decision as a request.
 */
describe.skipIf(cannot !== undefined)('the WebSocket of Session Manager', () => {
  const cluster = new Cluster();
  let env: Readonly<Record<string, string>> = {};
  const sockets: Duplex[] = [];

  beforeAll(async () => {
    await openStage(cluster, { tls: true });
    await cluster.mustSh(`tsh apps login --aws-role ${ROLE} aws`);
    ({ env } = await openDoor(cluster));
  }, 120_000);
  afterAll(async () => {
    for (const socket of sockets) socket.destroy();
    await cluster.stop();
  });

  /** As a program opens it that honours HTTPS_PROXY. It trusts who answers for AWS here, and not the authority of tsh. */
  async function channel(host = HOST): Promise<{ readonly socket: Duplex; readonly said: () => Buffer; readonly isClosed: () => boolean }> {
    const ca = readFileSync(join(cluster.dir, 'web-ca.pem'));
    const checkServerIdentity = () => undefined;
    const agent = new Agent({ proxyEnv: { HTTPS_PROXY: env['HTTPS_PROXY'] }, ca, checkServerIdentity });
    const headers = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    };
    const asked = request({ host, path: CHANNEL, agent, headers }).end();
    const refused = once(asked, 'response').then(() => Promise.reject(new Error('it was answered, and no WebSocket')));
    const [answer, socket, early] = (await Promise.race([once(asked, 'upgrade'), refused])) as [
      { readonly headers: Readonly<Record<string, string>> },
      Duplex,
      Buffer,
    ];
    // The vector of RFC 6455, section 1.3.
    expect(answer.headers['sec-websocket-accept']).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
    sockets.push(socket);
    let said = early;
    let closed = false;
    socket.on('data', (piece: Buffer) => (said = Buffer.concat([said, piece])));
    socket.on('error', () => undefined).on('close', () => (closed = true));
    return { socket, said: () => said, isClosed: () => closed };
  }
  const tunnels = async () =>
    JSON.parse(await cluster.admin('tctl audit ls --kind=app.session.tunnel --limit=100 -f json')) as Record<string, unknown>[];
  const outcomes = async (count: number) =>
    until(`${count} outcomes in the audit log`, 20_000, async () => {
      const ended = (await tunnels()).filter(({ phase }) => phase === 'outcome');
      return ended.length === count ? ended : undefined;
    });

  it('is tunnelled through tsh, proxy and agent, in TLS that nobody on the way ends, and its messages come back one by one', async () => {
    const { socket, said, isClosed } = await channel();
    let expected = Buffer.alloc(0);
    for (const word of ['open', 'ls -l', 'exit']) {
      socket.write(frame(word));
      expected = Buffer.concat([expected, answered(word)]);
      await expect.poll(() => said().equals(expected), { timeout: 10_000 }).toBe(true);
    }
    expect(cluster.rawLog().filter(({ operation }) => operation === 'OpenChannel')).toMatchObject([{ host: HOST, path: CHANNEL }]);
    const [begun = expect.fail('no tunnel is in the audit log')] = await until('the intent', 20_000, async () => {
      const all = await tunnels();
      return all.length > 0 ? all : undefined;
    });
    expect(begun).toMatchObject({ phase: 'intent', code: 'T2015I', user: 'alice', aws_host: HOST, aws_role_arn: ROLE_ARN });
    expect(isClosed()).toBe(false);
    socket.end();
    const [ended = expect.fail('nothing ended')] = await outcomes(1);
    expect(ended).toMatchObject({ code: 'T2015I', success: true, outcome: 'answered', request_id: begun['request_id'] });
    // TLS and HTTP are counted as well.
    expect(ended['request_bytes']).toBeGreaterThan(500);
    expect(ended['bytes']).toBeGreaterThan(500);
  });

  it('of another partition is not dialled, and the refusal is on record', async () => {
    const before = cluster.rawLog().length;
    await expect(channel('ssmmessages.cn-north-1.amazonaws.com.cn')).rejects.toThrow();
    const refusal = await until('the refusal', 20_000, async () => (await tunnels()).find(({ phase }) => phase === 'refusal'));
    expect(refusal).toMatchObject({ code: 'T2015E', success: false, error: expect.stringMatching(/partition aws-cn/) as unknown });
    expect(cluster.rawLog()).toHaveLength(before);
  });

  it('ends within seconds of a lock of the person, and there is no other for him', async () => {
    const { socket, said, isClosed } = await channel();
    socket.write(frame('still here'));
    await expect.poll(() => said().equals(answered('still here')), { timeout: 10_000 }).toBe(true);
    await cluster.admin("tctl lock --user=alice --message='left the company'");
    await expect.poll(isClosed, { timeout: LOCKED_MS }).toBe(true);
    const ended = await outcomes(2);
    expect(ended.map(({ user, aws_host: host }) => [user, host])).toEqual(ended.map(() => ['alice', HOST]));
    const before = cluster.rawLog().length;
    await expect(channel()).rejects.toThrow();
    expect(cluster.rawLog()).toHaveLength(before);
  });
});
