import { createServer } from 'node:net';
import { PosternError } from '@postern/api';
import { afterEach, describe, expect, it } from 'vitest';
import { createGrpcTlsServer } from '#grpc-tls-server.ts';
import { lastWordsIn } from '#last-words.ts';
import { RawConnection } from '#raw-call/raw-connection.ts';
import { authority, connectService, listen } from '#testing/echo.ts';

const toStop: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of toStop.splice(0).toReversed()) await stop();
});

async function dialServerThat(admits: () => boolean | PosternError) {
  let calls = 0;
  const server = createGrpcTlsServer({
    tls: { ...authority.issue('server.test'), ca: authority.caPem },
    services: [connectService(() => void (calls += 1))],
    admit: admits,
  });
  const listener = createServer((socket) => server.acceptSocket(socket, { remoteAddress: 'peer' }));
  const port = await listen(listener);
  toStop.push(
    () => server.stop(),
    () => listener.close(),
  );
  const connection = new RawConnection({
    address: `127.0.0.1:${port}`,
    serverName: 'server.test',
    context: { ca: authority.caPem },
    checkServer: () => undefined,
  });
  toStop.push(() => connection.end());
  return { connection, served: () => calls };
}

describe('a server that lets nobody in', () => {
  it('says why, with its code, and serves nothing', async () => {
    const refusal = new PosternError('locked', 'alice is locked: see “the audit log”');
    const { connection, served } = await dialServerThat(() => refusal);
    await expect(connection.ready).rejects.toMatchObject({ code: 'locked', message: refusal.message });
    await expect(connection.ended).resolves.toBe(connection.refusal);
    expect(connection.isReady).toBe(false);
    expect(() => connection.open('/any')).toThrow(/closed/);
    expect(served()).toBe(0);
  });

  it('says nothing where it has nothing to say', async () => {
    const { connection } = await dialServerThat(() => false);
    await expect(connection.ready).rejects.toMatchObject({ code: 'unavailable' });
    expect(connection.refusal).toBeUndefined();
  });

  it('is told apart from one that only leaves', async () => {
    const { connection } = await dialServerThat(() => true);
    await connection.ready;
    expect(connection.isReady).toBe(true);
    expect(connection.refusal).toBeUndefined();
  });
});

describe('the last words', () => {
  it.each([
    ['none', undefined],
    ['nothing', ''],
    ['a code that is not known', 'pleased to meet you'],
    ['a code without words', 'locked'],
    ['more than they may be', `locked ${'x'.repeat(3_000)}`],
  ])('are not taken for a reason where they are %s', (_what, text) =>
    expect(lastWordsIn(text === undefined ? undefined : Buffer.from(text))).toBeUndefined(),
  );
});
