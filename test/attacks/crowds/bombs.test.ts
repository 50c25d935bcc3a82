import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { type Held, sessionName } from '@postern/test-harness/dial.ts';
import { dataFrames, headFrames, openHttp2 } from '@postern/test-harness/http2-frames.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { loadOf } from '@postern/test-harness/process-load.ts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { AUTH, Crowd } from '#crowds/crowd.ts';

const cannot = lacking('openssl');
const MIB = 1024 * 1024;
const CALLS = 90;
const CONNECTIONS = 4;
/** What handshakes, buffers and whoever signs in meanwhile take. A bomb that goes off takes hundreds. */
const MAY_GROW_MIB = 96;
const SIGN_IN = '/postern.v1.Login/SignIn';
/** Two million events with nothing in them: each two bytes, and an object of a hundred in a process that reads them. */
const EVENTS = Buffer.alloc(4 * MIB - 64, Buffer.from([0x0a, 0x00]));
const PACKED = framed(gzipSync(EVENTS, { level: 9 }), 1);
const APPEND = '/postern.v1.Audit/AppendEvents';

describe.skipIf(cannot !== undefined)('a few bytes of a stranger that are to become many', () => {
  const crowd = new Crowd();
  const sockets: TLSSocket[] = [];
  const sessions: ClientHttp2Session[] = [];
  let agentPid = 0;
  beforeAll(async () => {
    agentPid = (await crowd.open()).child.pid ?? 0;
  });
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    for (const session of sessions.splice(0)) session.destroy();
  });
  afterAll(() => crowd.stage.cluster.stop());

  const head = (path: string, more: readonly (readonly [string, string])[]) =>
    [
      [':method', 'POST'],
      [':scheme', 'https'],
      [':path', path],
      [':authority', AUTH],
      ['content-type', 'application/grpc'],
      ...more,
    ] as const;
  const connect = async (to: Omit<Parameters<typeof openHttp2>[0], 'port'>) => {
    const socket = await openHttp2({ port: crowd.port, ...to });
    sockets.push(socket);
    return socket.on('error', () => undefined);
  };
  /** By how much a process is larger, at the most, in the seconds after. */
  const growthMiB = async (pid: number, attack: () => unknown): Promise<number> => {
    const before = loadOf(pid).rssMiB;
    await attack();
    let most = 0;
    for (const untilMs = performance.now() + 1_500; performance.now() < untilMs; ) {
      most = Math.max(most, loadOf(pid).rssMiB - before);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return most;
  };

  type Bomb = readonly [what: string, path: string, more: readonly (readonly [string, string])[], body: Buffer];
  const bombs: readonly Bomb[] = [
    ['messages that are packed, for a method that is not his', APPEND, [['grpc-encoding', 'gzip']], PACKED],
    ['messages that are packed, for a method that is anybody’s', SIGN_IN, [['grpc-encoding', 'gzip']], PACKED],
    ['metadata of thousands of empty pieces', SIGN_IN, [['x-bin', ','.repeat(12_000)]], Buffer.alloc(0)],
  ];
  /** Through a client that keeps to the windows, or the connection would end and all of it be forgotten. */
  const sendToAuth = (path: string, body: Buffer, { calls, held }: { readonly calls: number; readonly held?: Held }) => {
    const identity = held === undefined ? {} : { key: held.privateKeyPem, cert: held.certificatePem };
    const session = connectHttp2(`https://localhost:${crowd.port}`, { servername: AUTH, rejectUnauthorized: false, ...identity });
    sessions.push(session.on('error', () => undefined));
    for (let n = 0; n < calls; n += 1) {
      const call = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' });
      call.on('error', () => undefined).resume();
      call.write(body);
    }
  };
  const throwAtAuth = async (...[, path, more, body]: Bomb) => {
    for (let n = 0; n < CONNECTIONS; n += 1) {
      const socket = await connect({ serverName: AUTH });
      for (let call = 0; call < CALLS; call += 1)
        socket.write(Buffer.concat([headFrames(1 + 2 * call, head(path, more)), dataFrames(1 + 2 * call, body)]));
    }
  };

  it.each(bombs)('TN-01 %s: auth is hardly larger by them', async (...bomb: Bomb) => {
    expect(await growthMiB(crowd.authPid, () => throwAtAuth(...bomb))).toBeLessThan(MAY_GROW_MIB);
  });

  const half = framed(Buffer.alloc(4 * MIB)).subarray(0, 3 * MIB);

  it('TN-01 requests that are never whole: auth is hardly larger by them', async () => {
    const send = () => {
      for (let n = 0; n < CONNECTIONS; n += 1) sendToAuth(SIGN_IN, half, { calls: CALLS });
    };
    expect(await growthMiB(crowd.authPid, send)).toBeLessThan(MAY_GROW_MIB);
  });

  it('TN-01 somebody signs in beside all of them', async () => {
    for (const bomb of bombs) await throwAtAuth(...bomb);
    sendToAuth(SIGN_IN, half, { calls: CALLS });
    expect(await crowd.loginMs()).toBeLessThan(crowd.patienceMs);
  });

  it('TN-01 millions of empty events, of a host that was taken over: auth is hardly larger than by what was sent', async () => {
    const held = await crowd.host('taken');
    const calls = 10;
    const grown = await growthMiB(crowd.authPid, () => sendToAuth(APPEND, framed(EVENTS), { calls, held }));
    expect(grown).toBeLessThan(MAY_GROW_MIB + (calls * EVENTS.length) / MIB);
  });

  it('TN-01 metadata of thousands of empty pieces, of the holder of a session: the agent is hardly larger by it', async () => {
    const session = await crowd.session();
    const grown = await growthMiB(agentPid, async () => {
      for (let n = 0; n < CONNECTIONS; n += 1) {
        const socket = await connect({ serverName: sessionName(session.issued.ticket), held: session });
        for (let call = 0; call < CALLS; call += 1)
          socket.write(headFrames(1 + 2 * call, head('/postern.v1.AgentSession/Connect', [['x-bin', ','.repeat(12_000)]])));
      }
    });
    expect(grown).toBeLessThan(MAY_GROW_MIB);
  });
});

function framed(message: Buffer, flag = 0): Buffer {
  const prefix = Buffer.alloc(5, flag);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}
