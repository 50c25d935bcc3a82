import type { ServerHttp2Stream } from 'node:http2';
import { afterEach, describe, expect, it } from 'vitest';
import { far, originTo, send, sharesOf, soon, undo } from '#testing/http2-far.ts';

afterEach(() => {
  for (const one of undo.splice(0)) one();
});

describe('the connections of HTTP/2', () => {
  /** A server that answers nobody, and the streams that it holds. */
  async function silent(settings = {}) {
    const open: ServerHttp2Stream[] = [];
    const server = await far((stream) => {
      open.push(stream);
      stream.on('close', () => open.splice(open.indexOf(stream), 1));
    }, settings);
    return { ...server, open };
  }

  it('are one owner’s each', async () => {
    const { port, sessions, open } = await silent();
    const origin = originTo(port);
    for (const owner of ['alice', 'bob', 'alice', 'bob']) send(origin, { owner });
    await soon(() => open.length).toBe(4);
    expect([sessions.length, origin.connections, origin.inFlight]).toEqual([2, 2, 4]);
    expect(open.filter(({ session }) => session === sessions[0])).toHaveLength(2);
  });

  it('on which so many requests are broken off take no more, and end with what is on them; the next goes over a new one', async () => {
    const { port, sessions, open } = await silent();
    const origin = originTo(port, {}, { shares: sharesOf({ resetsPerConnection: 3 }) });
    const kept = send(origin);
    const withdrawn = [send(origin), send(origin), send(origin)];
    await soon(() => open.length).toBe(4);
    for (const { flight } of withdrawn.slice(1)) flight.abort('enough');
    await soon(() => open.length).toBe(2);
    send(origin);
    await soon(() => open.length).toBe(3);
    expect(sessions).toHaveLength(1);
    withdrawn[0]?.flight.abort('enough');
    send(origin);
    await soon(() => sessions.length).toBe(2);
    const [first, second] = open.filter(({ session }) => session === sessions[0]);
    first?.respond({ ':status': 200 }, { endStream: true });
    expect(await kept.result).toHaveProperty('head');
    expect(sessions[0]?.destroyed).toBe(false);
    second?.respond({ ':status': 200 }, { endStream: true });
    await soon(() => [sessions[0]?.destroyed, sessions[1]?.destroyed]).toEqual([true, false]);
  });

  it('are so many of one owner and of all; one that rests makes room, and where none does a request is refused', async () => {
    const { port, open } = await silent({ maxConcurrentStreams: 1 });
    const elsewhere = await silent();
    const shares = sharesOf({ connectionsPerOwner: 2, connections: 3 });
    const [origin, other] = [originTo(port, {}, { shares }), originTo(elsewhere.port, {}, { shares })];
    send(origin);
    await soon(() => open.length).toBe(1);
    const second = send(origin);
    await soon(() => open.length).toBe(2);
    const reason = 'alice has 2 connections of HTTP/2 in use, as many as one user may: send fewer at a time';
    // Here there is a connection to wait on, there is none.
    expect([origin.refusal('alice'), other.refusal('alice')]).toEqual([undefined, reason]);
    expect(await send(other).result).toEqual({ code: 'none_free', reason, mayHaveLeft: false, bytes: 0 });
    send(other, { owner: 'bob' });
    await soon(() => elsewhere.open.length).toBe(1);
    const full = '3 connections of HTTP/2 are in use, and this agent opens no more: try again';
    expect([other.refusal('bob'), other.refusal('carol')]).toEqual([undefined, full]);

    second.flight.abort('enough');
    await soon(() => open.length).toBe(1);
    expect([other.refusal('alice'), other.refusal('carol')]).toEqual([undefined, undefined]);
    send(other, { owner: 'carol' });
    await soon(() => elsewhere.open.length).toBe(2);
    expect([origin.connections, other.connections]).toEqual([1, 2]);
  });

  it('carry a hundred requests at the most, whatever the server takes', async () => {
    const { port, sessions, open } = await silent({ maxConcurrentStreams: 1000 });
    const origin = originTo(port, {}, { shares: sharesOf({ connectionsPerOwner: 1 }) });
    for (let at = 0; at < 100; at += 1) send(origin);
    await soon(() => open.length).toBe(100);
    expect(await send(origin).result).toMatchObject({ code: 'none_free', mayHaveLeft: false });
    expect(sessions).toHaveLength(1);
  });
});

describe('whoever breaks off many requests', () => {
  it('is refused until so much time has passed as each costs, and nobody else is', async () => {
    let nowMs = 0;
    const taken: ServerHttp2Stream[] = [];
    const server = await far((stream) => taken.push(stream));
    const shares = sharesOf({ resetsPerOwner: { atOnce: 3, perSecond: 10 } }, () => nowMs);
    const origin = originTo(server.port, {}, { shares });
    const sent = Array.from({ length: 5 }, () => send(origin));
    await soon(() => taken.length).toBe(5);
    for (const { flight } of sent.slice(0, 2)) flight.abort('enough');
    expect(origin.refusal('alice')).toBeUndefined();
    for (const { flight } of sent.slice(2)) flight.abort('enough');
    const reason = 'alice has broken off 3 requests of HTTP/2, and may break off 10 a second: wait a moment';
    expect([origin.refusal('alice'), origin.refusal('bob')]).toEqual([reason, undefined]);
    // Two more than he may are owed.
    nowMs += 299;
    expect(origin.refusal('alice')).toBe(reason);
    nowMs += 1;
    expect(origin.refusal('alice')).toBeUndefined();
  });
});
