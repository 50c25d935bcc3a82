import { connect } from 'node:net';
import { limits } from '@postern/limits';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FarSide, rawClient, startFarSide } from '#testing/far-side.ts';
import { type LocalAgent, sessionOf, startLocalAgent } from '#testing/local-agent.ts';

let agent: LocalAgent;
let far: FarSide;
beforeEach(async () => {
  far = await startFarSide();
  agent = await startLocalAgent({ env: { AWS_ENDPOINT_URL_SSMMESSAGES: far.url } });
});
afterEach(async () => {
  await agent.stop();
  far.close();
});
const HOST = 'ssmmessages.us-east-1.amazonaws.com';
const last = () => agent.events.at(-1);

describe('a tunnel', () => {
  it('carries bytes both ways as they are, and says how many when it ends', async () => {
    agent.setFacts({ tunnelHost: HOST });
    const client = await rawClient(agent.port);
    const hello = Buffer.from('\x16\x03\x01client hello', 'latin1');
    client.send(hello);
    await expect.poll(() => far.connections[0]?.text()).toBe(hello.toString('latin1'));
    far.connections[0]?.socket.write('server hello');
    await expect.poll(() => client.said()).toBe('server hello');
    expect(last()).toMatchObject({ code: 'T2015I', fields: { phase: 'intent', aws_host: HOST } });
    client.socket.end();
    await expect.poll(() => far.connections[0]?.isClosed()).toBe(true);
    await expect
      .poll(() => last())
      .toMatchObject({ code: 'T2015I', fields: { phase: 'outcome', request_bytes: hello.length, bytes: 'server hello'.length } });
  });

  it('ends with its session', async () => {
    agent.setFacts({ tunnelHost: HOST });
    const session = sessionOf({ standing: agent.standing });
    agent.setSession(session);
    const client = await rawClient(agent.port);
    client.send('x');
    await expect.poll(() => far.connections).toHaveLength(1);
    session.end({ allowed: false, cause: 'locked', reason: 'user alice is locked' });
    await expect.poll(() => far.connections[0]?.isClosed(), { timeout: 5000 }).toBe(true);
    expect(client.isClosed()).toBe(true);
  });

  it.each([
    ['another host of AWS', 's3.us-east-1.amazonaws.com'],
    ['a host of a stranger', 'ssmmessages.us-east-1.amazonaws.com.evil.example'],
    ['an address', '169.254.169.254'],
    ['another partition', 'ssmmessages.cn-north-1.amazonaws.com.cn'],
  ])('to %s is not opened, and recorded', async (_what, tunnelHost) => {
    agent.setFacts({ tunnelHost });
    const client = await rawClient(agent.port);
    await expect.poll(() => client.isClosed()).toBe(true);
    expect(far.connections).toEqual([]);
    expect(last()).toMatchObject({ code: 'T2015E', success: false, fields: { phase: 'refusal' } });
  });

  it('is not opened for whom the rules do not allow the role', async () => {
    agent.setRoles([]);
    agent.setFacts({ tunnelHost: HOST });
    const client = await rawClient(agent.port);
    await expect.poll(() => client.isClosed()).toBe(true);
    expect(far.connections).toEqual([]);
    expect(last()).toMatchObject({ code: 'T2015E', fields: { error: expect.stringContaining('no role allows') as unknown } });
  });

  it('whose client leaves before its record is on disk is not dialled, and recorded so', async () => {
    const written: (() => void)[] = [];
    const held = await startLocalAgent({
      env: { AWS_ENDPOINT_URL_SSMMESSAGES: far.url },
      spool: (real) => ({
        ...real,
        writeLater: (event) => real.writeLater(event),
        write: (event, done) => real.write(event, (error) => void written.push(() => done(error))),
      }),
    });
    try {
      held.setFacts({ tunnelHost: HOST });
      const client = await rawClient(held.port);
      await expect.poll(() => written).toHaveLength(1);
      client.socket.resetAndDestroy();
      await expect.poll(() => [...held.sockets].map(({ closed }) => closed)).toEqual([true]);
      for (const done of written) done();
      const ended = held.events.findLast(({ fields }) => fields['phase'] === 'outcome');
      expect(ended).toMatchObject({ code: 'T2015E', fields: { outcome: 'not_sent', error: 'the client left', request_bytes: 0 } });
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(far.connections).toEqual([]);
    } finally {
      await held.stop();
    }
  });

  it('is one of so many of its person, as a request is, and one more is not dialled [limit awsConnectionsPerHost]', async () => {
    const most = limits.awsConnectionsPerHost / 2;
    agent.setFacts({ tunnelHost: HOST });
    const clients = [];
    for (let at = 0; at < most; at += 1) clients.push(await rawClient(agent.port));
    await expect.poll(() => far.connections.length, { timeout: 10_000 }).toBe(most);
    const past = await rawClient(agent.port);
    await expect.poll(() => past.isClosed()).toBe(true);
    const error = expect.stringContaining(`alice has ${most} requests to ${HOST} under way`) as string;
    expect(last()).toMatchObject({ code: 'T2015E', fields: { phase: 'refusal', error } });

    agent.setSession(sessionOf({ user: 'bob', standing: agent.standing }));
    clients.push(await rawClient(agent.port));
    await expect.poll(() => far.connections.length).toBe(most + 1);

    clients[0]?.socket.destroy();
    await expect.poll(() => far.connections.filter(({ isClosed }) => isClosed()).length).toBe(1);
    agent.setSession(sessionOf({ user: 'alice', standing: agent.standing }));
    clients.push(await rawClient(agent.port));
    await expect.poll(() => far.connections.length).toBe(most + 2);
    for (const { socket } of clients) socket.destroy();
  }, 30_000);

  it('that cannot be had is told, and is no tunnel', async () => {
    far.close();
    agent.setFacts({ tunnelHost: HOST });
    const socket = connect(agent.port, '127.0.0.1');
    socket.on('error', () => undefined);
    await new Promise((resolve) => socket.once('close', resolve));
    await expect.poll(() => last()).toMatchObject({ code: 'T2015E', fields: { phase: 'outcome', outcome: 'not_sent' } });
  });
});
