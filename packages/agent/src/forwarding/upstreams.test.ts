import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { AnswerHandler } from '@postern/http';
import { limits } from '@postern/limits';
import { afterEach, describe, expect, it } from 'vitest';
import { type Passage, type RequestWish, Upstreams } from '#forwarding/upstreams.ts';

const cleanup: (() => void)[] = [];
afterEach(() => {
  for (const undo of cleanup.splice(0)) undo();
});

/** What is dialled takes connections, and never says a word. */
async function rig({ scheme = 'http' } = {}) {
  const sockets: Socket[] = [];
  const silent = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => socket.destroy());
    socket.resume();
  });
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo;
  const upstreams = new Upstreams({ dialUrl: () => new URL(`${scheme}://127.0.0.1:${port}/`) });
  cleanup.push(
    () => upstreams.destroy(),
    () => sockets.forEach((socket) => socket.destroy()),
    () => silent.close(),
  );
  return { upstreams, sockets };
}

const HOST = 's3.us-east-1.amazonaws.com';
const wish = (user: string, more: Partial<RequestWish> = {}): RequestWish => ({ service: 'S3', host: HOST, user, ...more });
const nothing: AnswerHandler = {
  wantsData: false,
  onHead: () => undefined,
  onWire: () => undefined,
  onEnd: () => undefined,
  onFailed: () => undefined,
};

function admitted(upstreams: Upstreams, asked: RequestWish): Passage {
  const passage = upstreams.admit(asked);
  if ('reason' in passage) throw new Error(passage.reason);
  return passage;
}

describe('requests to a host of AWS', () => {
  it('are as many of one person as half of its connections, in both protocols, and one more is refused [limit awsConnectionsPerHost]', async () => {
    const { upstreams } = await rig();
    const most = limits.awsConnectionsPerHost / 2;
    const alices = Array.from({ length: most }, (_, at) => admitted(upstreams, wish('alice', { protocol: at % 2 ? 'h2' : 'http/1.1' })));
    const reason = `alice has ${most} requests to ${HOST} under way, as many as one user may: send fewer at a time`;
    expect([upstreams.admit(wish('alice')), upstreams.admit(wish('alice', { protocol: 'h2' }))]).toEqual([{ reason }, { reason }]);
    admitted(upstreams, wish('alice', { host: 's3.eu-west-1.amazonaws.com' }));
    for (let at = 0; at < most; at += 1) admitted(upstreams, wish('bob'));
    alices[0]?.over();
    admitted(upstreams, wish('alice'));
    expect(upstreams.admit(wish('alice'))).toEqual({ reason });
  });

  it('are so many of one person in all, wherever they go, and one more is refused [limit awsRequestsPerUser]', async () => {
    const { upstreams } = await rig();
    const hostOf = (at: number) => ({ host: `bucket-${at % 100}.${HOST}` });
    const alices = Array.from({ length: limits.awsRequestsPerUser }, (_, at) => admitted(upstreams, wish('alice', hostOf(at))));
    const reason = `alice has ${limits.awsRequestsPerUser} requests to AWS under way, as many as one user may: send fewer at a time`;
    expect([upstreams.admit(wish('alice', hostOf(7))), upstreams.admit(wish('alice'))]).toEqual([{ reason }, { reason }]);
    admitted(upstreams, wish('bob', hostOf(7)));
    alices[0]?.over();
    admitted(upstreams, wish('alice'));
    expect(upstreams.admit(wish('alice'))).toEqual({ reason });
  });

  it('are counted for their person when their host is one of so many that its pool is begun anew', async () => {
    const { upstreams } = await rig();
    for (let at = 0; at < limits.awsConnectionsPerHost / 2; at += 1) admitted(upstreams, wish('alice'));
    for (let at = 0; at < 300; at += 1) admitted(upstreams, wish('alice', { host: `bucket-${at}.${HOST}` }));
    expect(upstreams.admit(wish('alice'))).toHaveProperty('reason');
  });

  it('have a connection each as long as there are any, then wait for one, and are refused when too many do [limit awsRequestsPerHost]', async () => {
    const { upstreams, sockets } = await rig();
    for (let at = 0; at < limits.awsRequestsPerHost; at += 1) {
      const { upstream } = admitted(upstreams, wish(`user-${at % 10}`));
      upstream.send({ method: 'GET', target: '/', fields: ['host', HOST], body: Buffer.alloc(0) }, nothing);
    }
    await expect.poll(() => sockets.length, { timeout: 10_000 }).toBe(limits.awsConnectionsPerHost);
    const reason = `${limits.awsRequestsPerHost} requests to ${HOST} are under way, and this agent takes no more: try again`;
    expect(upstreams.admit(wish('somebody'))).toEqual({ reason });
    expect(sockets).toHaveLength(limits.awsConnectionsPerHost);
  });
});

describe('connections of HTTP/2', () => {
  const h2 = (user: string, at: number) => wish(user, { protocol: 'h2', host: `bucket-${at}.${HOST}` });
  const send = (upstreams: Upstreams, asked: RequestWish) =>
    admitted(upstreams, asked).upstream.send({ method: 'GET', target: '/', fields: ['host', asked.host], body: Buffer.alloc(0) }, nothing);

  it('are so many of one person, to whichever host, and so many of all: one more is refused, unless one rests [limit awsHttp2ConnectionsPerUser] [limit awsHttp2Connections]', async () => {
    const { awsHttp2ConnectionsPerUser, awsHttp2Connections } = limits;
    const { upstreams, sockets } = await rig({ scheme: 'https' });
    const users = awsHttp2Connections / awsHttp2ConnectionsPerUser;
    const flights = Array.from({ length: users }, (_, user) =>
      Array.from({ length: awsHttp2ConnectionsPerUser }, (__, at) => send(upstreams, h2(`user-${user}`, at))),
    );
    const mine = `user-0 has ${awsHttp2ConnectionsPerUser} connections of HTTP/2 in use, as many as one user may: send fewer at a time`;
    const all = `${awsHttp2Connections} connections of HTTP/2 are in use, and this agent opens no more: try again`;
    expect(upstreams.admit(h2('user-0', 99))).toEqual({ reason: mine });
    expect(upstreams.admit(h2('another', 0))).toEqual({ reason: all });
    // Over what he has to a host more can be sent to it.
    send(upstreams, h2('user-0', 0));
    await expect.poll(() => sockets.length, { timeout: 20_000 }).toBe(awsHttp2Connections);
    flights[0]?.[1]?.abort('enough');
    send(upstreams, h2('another', 0));
    expect(upstreams.admit(h2('another', 1))).toEqual({ reason: all });
  }, 30_000);
});
