import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { Cluster, PASSWORD } from '@postern/test-harness/cluster.ts';
import { sessionName, sessionRaw, signInRaw } from '@postern/test-harness/dial.ts';
import { type Fields, headFrames, HELLO, resetFrame, windowFrame } from '@postern/test-harness/http2-frames.ts';
import { type Daemon, freePort, until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientEnv, openDoor, type OpenDoor, openStage, ROLE_ARN } from './stage.ts';

const cannot = lacking('aws', 'openssl');
const HOST = 'bedrock-runtime.us-east-1.amazonaws.com';
/** A process that dies of it has died by then. */
const SOON_MS = 100;

/** A stream that is taken back in the breath in which it is made, and connections that break behind one. Frames are read ahead of whoever serves them. */
const breaks = (good: Fields, bad: Fields): Readonly<Record<string, readonly Buffer[]>> => ({
  'no request, reset as if all were well': [Buffer.concat([HELLO, headFrames(1, bad), resetFrame(1, 0)])],
  'no request, reset': [Buffer.concat([HELLO, headFrames(1, bad), resetFrame(1, 8)])],
  'a request, reset as if all were well': [Buffer.concat([HELLO, headFrames(1, good), resetFrame(1, 0)])],
  'a request, reset with an error': [Buffer.concat([HELLO, headFrames(1, good), resetFrame(1, 2)])],
  'a request that asks first, reset': [Buffer.concat([HELLO, headFrames(1, [...good, ['expect', '100-continue']]), resetFrame(1, 0)])],
  'a request, and a frame that is none': [Buffer.concat([HELLO, headFrames(1, good), windowFrame(0, 0)])],
  'a second one, reset': [Buffer.concat([HELLO, headFrames(1, good), headFrames(3, bad), resetFrame(3, 8)])],
  'a request, reset a moment later': [Buffer.concat([HELLO, headFrames(1, good)]), resetFrame(1, 0)],
  'a request, broken a moment later': [Buffer.concat([HELLO, headFrames(1, good)]), windowFrame(1, 0)],
});

describe.skipIf(cannot !== undefined)('frames that make no sense', () => {
  const cluster = new Cluster();
  let door: OpenDoor;
  let up: Daemon;
  let upPort = 0;

  beforeAll(async () => {
    await openStage(cluster, { apart: true });
    await cluster.mustSh('tsh apps login aws');
    door = await openDoor(cluster);
    upPort = await freePort();
    up = cluster.daemon('tsh-up', ['tsh', 'up', '--foreground', '--port', String(upPort)], { TELEPORT_HOME: cluster.homeOf('alice') });
    await until('tsh up to listen', 10_000, async () => ((await reached(upPort)) ? true : undefined));
  });
  afterAll(() => cluster.stop());

  const agent = () => cluster.running().find(({ name }) => name === 'app-agent') as Daemon;
  const request = (authority: string, method = 'POST'): Fields => [
    [':method', method],
    [':scheme', 'https'],
    [':path', '/model/m/invoke'],
    [':authority', authority],
  ];

  /** All of them, each on a connection of its own, and nobody stops. */
  async function survives(daemon: Daemon, dial: () => Promise<Socket>, good: Fields, bad: Fields): Promise<void> {
    for (const [what, writes] of Object.entries(breaks(good, bad))) {
      const socket = await dial();
      socket.on('error', () => undefined).resume();
      for (const bytes of writes) {
        socket.write(bytes);
        await delay(SOON_MS);
      }
      socket.destroy();
      expect({ what, exitCode: daemon.child.exitCode, log: daemon.log().match(/uncaught.*/)?.[0] }).toEqual({ what, exitCode: null });
    }
  }

  async function throughDoor(): Promise<Socket> {
    const socket = connect(door.port, '127.0.0.1');
    socket.write(`CONNECT ${HOST}:443 HTTP/1.1\r\nHost: ${HOST}:443\r\n\r\n`);
    await once(socket, 'data');
    const ca = readFileSync(door.env['AWS_CA_BUNDLE'] ?? '');
    const secure = connectTls({ socket, servername: HOST, ca, ALPNProtocols: ['h2'] });
    await once(secure, 'secureConnect');
    return secure;
  }

  it('stop no agent that somebody reaches through tsh proxy aws', async () => {
    await survives(agent(), throughDoor, request(HOST), request(HOST, 'BAD'));
  });

  it('stop no agent that the holder of a session’s certificate reaches without tsh', async () => {
    const found = await cluster.mustSh(`curl -s --cacert web-ca.pem https://${cluster.proxy}/v1/webapi/find`);
    const { host_ca_pems: hostCas } = JSON.parse(found) as { readonly host_ca_pems: string[] };
    const alice = await signInRaw(cluster.proxy, hostCas, { user: 'alice', password: PASSWORD });
    const held = await sessionRaw(cluster.proxy, hostCas, alice, { app: 'aws', principal: ROLE_ARN });
    const dial = async () => {
      const servername = sessionName(held.issued.ticket);
      const tls = { key: held.privateKeyPem, cert: held.certificatePem, rejectUnauthorized: false, ALPNProtocols: ['h2'] };
      const socket = connectTls({ port: cluster.proxyPort, host: '127.0.0.1', servername, ...tls });
      await once(socket, 'secureConnect');
      return socket;
    };
    const call = (path: string, type: string): Fields => [
      [':method', 'POST'],
      [':scheme', 'https'],
      [':path', path],
      [':authority', 'x'],
      ['content-type', type],
      ['te', 'trailers'],
    ];
    const methods = ['Connect', 'Describe', 'SignInToConsole', 'NoMethod'];
    for (const method of methods)
      await survives(agent(), dial, call(`/postern.v1.AgentSession/${method}`, 'application/grpc'), call('/', 'text/html'));
  });

  it('stop no tsh up, from somebody who has no key', async () => {
    const dial = async () => {
      const socket = connect(upPort, '127.0.0.1');
      await once(socket, 'connect');
      return socket;
    };
    const authority = `localhost:${upPort}`;
    await survives(up, dial, request(authority), request(authority, 'BAD'));
    const signed = `AWS4-HMAC-SHA256 Credential=${door.env['AWS_ACCESS_KEY_ID']}/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00`;
    await survives(up, dial, [...request(authority), ['authorization', signed]], request(authority));
  });

  it('and everybody is served after it', async () => {
    const env = clientEnv();
    expect((await cluster.sh('tsh aws s3api list-buckets', { env })).code).toBe(0);
  });

  it('stop no tsh proxy aws whose agent is away', async () => {
    agent().child.kill('SIGKILL');
    await survives(door.daemon, throughDoor, request(HOST), request(HOST, 'BAD'));
  });
});

function reached(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => (socket.destroy(), resolve(true)));
    socket.on('error', () => resolve(false));
  });
}
