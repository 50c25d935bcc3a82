import { createSecureServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { limits } from '@postern/limits';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BEDROCK_HOST, type EventStream, http2To, openEvents } from '#testing/event-stream.ts';
import { type LocalAgent, sessionOf, startLocalAgent } from '#testing/local-agent.ts';
import { selfSigned } from '#testing/self-signed.ts';

let tls: ReturnType<typeof selfSigned>;
let agent: LocalAgent;
const undo: (() => void)[] = [];
beforeAll(() => {
  tls = selfSigned();
});
afterEach(async () => {
  for (const one of undo.splice(0)) one();
  await agent.stop();
});

async function start(env: Readonly<Record<string, string>> = {}): Promise<void> {
  agent = await startLocalAgent({ tls, env });
  agent.setFacts({ connectHost: BEDROCK_HOST, isHttp2: true });
}
const soon = <T>(ask: () => T) => expect.poll(ask, { timeout: 10_000 });

/** A program's connection to the agent, as somebody's. */
function connectionOf(user: string) {
  agent.setSession(sessionOf({ user, standing: agent.standing }));
  const session = http2To(agent.port);
  undo.push(() => session.destroy());
  return session;
}

describe('the attacker, who withdraws request after request', () => {
  it('is refused in time, and what others say meanwhile goes on: AWS ends no connection of theirs [limit awsHttp2ResetsPerUser]', async () => {
    const { awsHttp2ResetsPerUser } = limits;
    await start();
    const bob = await openEvents(connectionOf('bob'));
    await bob.say('one');
    await soon(() => bob.heard()).toEqual(['one']);

    // All went over one connection, on which nghttp2 counts: Bob's conversation died with Alice's thousandth.
    let withdrawn = 0;
    let refused: EventStream | undefined;
    for (let round = 0; round < 50 && refused === undefined; round += 1) {
      const alice = connectionOf('alice');
      await new Promise((resolve) => alice.once('remoteSettings', resolve));
      const opened = await Promise.all(Array.from({ length: limits.http2Streams }, () => openEvents(alice)));
      for (const one of opened) {
        if ((await one.status) === 200) withdrawn += 1;
        else refused ??= one;
        one.stream.close(8);
      }
      await Promise.all(opened.map(({ closed }) => closed));
      alice.destroy();
    }
    await bob.say('two');
    await soon(() => bob.heard()).toEqual(['one', 'two']);
    expect(withdrawn).toBeGreaterThanOrEqual(awsHttp2ResetsPerUser.atOnce);
    expect(withdrawn).toBeLessThan(awsHttp2ResetsPerUser.atOnce + 600);
    expect(await refused?.status).toBe(503);
    await refused?.closed;
    const reason = `alice has broken off ${awsHttp2ResetsPerUser.atOnce} requests of HTTP/2, and may break off ${awsHttp2ResetsPerUser.perSecond} a second: wait a moment`;
    expect(agent.events.findLast(({ fields }) => fields['phase'] === 'refusal')).toMatchObject({
      user: 'alice',
      fields: { status_code: 503, error: reason },
    });
    expect(await (await openEvents(connectionOf('bob'))).status).toBe(200);
    // What she owes is paid with time.
    await expect.poll(async () => (await openEvents(connectionOf('alice'))).status, { timeout: 20_000, interval: 1000 }).toBe(200);
  }, 60_000);

  it('has a connection to AWS for so many of them, which is ended when nothing is on it any more [limit awsHttp2ResetsPerConnection]', async () => {
    const most = limits.awsHttp2ResetsPerConnection;
    const sessions: ServerHttp2Session[] = [];
    const open = new Set<ServerHttp2Stream>();
    const far = createSecureServer(tls);
    far.on('session', (session) => sessions.push(session));
    far.on('stream', (stream) => {
      open.add(stream);
      stream.on('error', () => undefined);
      stream.on('close', () => open.delete(stream));
      stream.respond({ ':status': 200, 'content-type': 'application/vnd.amazon.eventstream' });
    });
    await new Promise<void>((resolve) => far.listen(0, '127.0.0.1', resolve));
    undo.push(() => far.close());
    await start({ AWS_ENDPOINT_URL_BEDROCK: `https://localhost:${(far.address() as AddressInfo).port}` });
    const alice = connectionOf('alice');
    const kept = await openEvents(alice);
    expect(await kept.status).toBe(200);
    const withdraw = async () => {
      const one = await openEvents(alice);
      expect(await one.status).toBe(200);
      one.stream.close(8);
      await soon(() => open.size).toBe(1);
    };
    for (let at = 0; at < most; at += 1) await withdraw();
    expect([sessions.length, sessions[0]?.destroyed]).toEqual([1, false]);
    await withdraw();
    expect([sessions.length, sessions[0]?.destroyed]).toEqual([2, false]);
    kept.stream.close(8);
    await soon(() => sessions.map(({ destroyed }) => destroyed)).toEqual([true, false]);
  }, 30_000);
});
