import { connect } from 'node:net';
import type { handleUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import { PosternError, StatusService, statusOf } from '@postern/api';
import { afterEach, describe, expect, it } from 'vitest';
import { callUnaryOver } from '#raw-call/call-unary-over.ts';
import { RawConnection } from '#raw-call/raw-connection.ts';
import { authority, type SessionPair, sessionPair } from '#testing/echo.ts';

/** A server of grpc-js with one unary method, so that what is spoken is gRPC. */
let pair: SessionPair | undefined;
afterEach(async () => {
  await pair?.stop();
  pair = undefined;
});

const { getStatus } = StatusService;
type Answer = sendUnaryData<object>;
async function serving(serve: (answer: Answer) => void): Promise<SessionPair> {
  const handler: handleUnaryCall<object, object> = (_call, answer) => serve(answer);
  pair = await sessionPair(() => undefined, {
    server: { services: [{ definition: { getStatus }, implementation: { getStatus: handler } }] },
  });
  return pair;
}
const status = { cluster: 'c', version: 'v', caPins: ['a', 'b'], authorities: [], alarms: [] };

describe('a unary call over a connection of one’s own', () => {
  it('has its answer, one after another and several at once', async () => {
    const { connection } = await serving((answer) => answer(null, status));
    expect(await callUnaryOver(connection, getStatus, {}, { deadlineMs: 5_000 })).toEqual(status);
    const several = Array.from({ length: 5 }, () => callUnaryOver(connection, getStatus, {}, { deadlineMs: 5_000 }));
    expect(await Promise.all(several)).toHaveLength(5);
  });

  it('rejects where what comes is no answer', async () => {
    const responseSerialize = () => Buffer.from([0x0a, 0xff]);
    const handler: handleUnaryCall<object, object> = (_call, answer) => answer(null, {});
    pair = await sessionPair(() => undefined, {
      server: { services: [{ definition: { getStatus: { ...getStatus, responseSerialize } }, implementation: { getStatus: handler } }] },
    });
    const call = callUnaryOver(pair.connection, getStatus, {}, { deadlineMs: 5_000 });
    await expect(call).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining('no answer') as unknown });
  });

  it('rejects with the code and the words of the server', async () => {
    const { connection } = await serving((answer) => answer(statusOf(new PosternError('locked', 'user “alice” is locked'))));
    const call = callUnaryOver(connection, getStatus, {}, { deadlineMs: 5_000 });
    await expect(call).rejects.toMatchObject({ code: 'locked', message: 'user “alice” is locked' });
  });

  it('is given up at its deadline, and where the connection ends', async () => {
    const { connection } = await serving(() => undefined);
    await expect(callUnaryOver(connection, getStatus, {}, { deadlineMs: 100 })).rejects.toMatchObject({ code: 'unavailable' });
    const open = callUnaryOver(connection, getStatus, {}, { deadlineMs: 5_000 });
    setTimeout(() => connection.end(), 50);
    await expect(open).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('goes over a stream that somebody else opened', async () => {
    const { port } = await serving((answer) => answer(null, status));
    const connection = new RawConnection({
      address: 'nobody dials this',
      serverName: 'server.test',
      context: { ca: authority.caPem, ...authority.issue('client.test') },
      checkServer: () => undefined,
      dial: () => Promise.resolve(connect(port, '127.0.0.1')),
    });
    await connection.ready;
    expect(await callUnaryOver(connection, getStatus, {}, { deadlineMs: 5_000 })).toEqual(status);
    connection.end();
  });
});
