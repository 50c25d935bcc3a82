import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Client, Metadata } from '@grpc/grpc-js';
import { AgentSession, openDuplex } from '@postern/api';
import { APP, up } from '@postern/test-harness/app-agent.ts';
import { busyness } from '@postern/test-harness/busyness.ts';
import { type Cluster, ROLE } from '@postern/test-harness/cluster.ts';
import { freePort, until } from '@postern/test-harness/processes.ts';
import { signedRequest } from '@postern/test-harness/sign-v4.ts';

const S3 = 's3.us-east-1.amazonaws.com';
const MODEL = '/model/one/invoke-with-response-stream';
/** The host of Session Manager's channels, which are tunnelled: the agent sees TLS of the client's own. */
const CHANNELS = 'ssmmessages.us-east-1.amazonaws.com';
const MESSAGE_MS = 1_500;

/** Something that goes on until somebody ends it. */
export interface UnderWay {
  readonly what: string;
  readonly bytes: () => number;
  /** When the far side had closed it, in milliseconds since 1970. */
  readonly ended: Promise<number>;
}

/** "AWS" with what lasts: an object that nobody reads to its end, and a model that says a word now and then. */
export async function prepareAws(cluster: Cluster): Promise<void> {
  await cluster.awsObject('us-east-1', { bucket: 'files', key: 'endless', generatedBytes: 1e12 });
  await cluster.awsFault('InvokeModelWithResponseStream', { messageDelayMs: MESSAGE_MS });
}

/** A person who is signed in has all of it under way, through the programs of his own machine. */
export async function useAll(cluster: Cluster, person: string): Promise<readonly UnderWay[]> {
  await cluster.mustSh(`tsh apps login --aws-role ${ROLE} ${APP}`, { person });
  const port = await freePort();
  const proxy = cluster.daemon(`proxy-aws-${person}`, ['tsh', 'proxy', 'aws', '-p', String(port)], {
    TELEPORT_HOME: cluster.homeOf(person),
  });
  const [endpoint] = await Promise.all([up(cluster, person), proxy.says(/HTTPS_PROXY=\S+/)]);
  const host = `127.0.0.1:${endpoint.port}`;
  const open = () => connect(endpoint.port, '127.0.0.1');
  const channel = connect(port, '127.0.0.1');
  channel.write(`CONNECT ${CHANNELS}:443 HTTP/1.1\r\nHost: ${CHANNELS}:443\r\n\r\n`);
  await new Promise<void>((resolve, reject) => {
    channel.once('data', (said) => (said.toString().startsWith('HTTP/1.1 200 ') ? resolve() : reject(new Error(said.toString()))));
  });
  return allGoOn([
    download('a download through tsh up', open(), signedRequest({ ...ENDLESS, host }, endpoint.keys)),
    words('a stream of events through tsh up', open(), signedRequest({ ...STREAM, host }, endpoint.keys)),
    webSocket('a WebSocket through tsh proxy aws', channel),
  ]);
}

/** The same by a client of his own, who ends nothing by himself; `client` is at the agent with a session of the application. */
export async function useAllBare(client: Client): Promise<readonly UnderWay[]> {
  const keys = { id: `AKIA${'A'.repeat(16)}`, secret: randomBytes(20).toString('hex') };
  const open = (host: string, isTunnel = false): Duplex => {
    const metadata = new Metadata();
    metadata.set('postern-local-port', '8000');
    metadata.set('postern-local-key', `${keys.id}:${keys.secret}`);
    metadata.set(isTunnel ? 'postern-tunnel-host' : 'postern-connect-host', host);
    return openDuplex<Buffer, Buffer>(client, AgentSession.connect, { metadata }) as unknown as Duplex;
  };
  return allGoOn([
    download('a download of a bare client', open(S3), signedRequest({ ...ENDLESS, host: S3 }, keys)),
    words('a stream of events of a bare client', open(BEDROCK), signedRequest({ ...STREAM, host: BEDROCK }, keys)),
    webSocket('a WebSocket of a bare client', open(CHANNELS, true)),
  ]);
}

const ENDLESS = { method: 'GET', path: '/files/endless', service: 's3' } as const;
const STREAM = { method: 'POST', path: MODEL, service: 'bedrock', body: 'tell' } as const;
const BEDROCK = 'bedrock-runtime.us-east-1.amazonaws.com';

/** Resolves once each has shown twice that it is alive. */
async function allGoOn(list: readonly UnderWay[]): Promise<readonly UnderWay[]> {
  for (const { what, bytes } of list) {
    const first = await until(`${what} to begin`, 10_000 * busyness(), () => (bytes() > 0 ? bytes() : undefined));
    await until(`${what} to go on`, 10_000 * busyness(), () => (bytes() > first ? true : undefined));
  }
  return list;
}

function underWay(what: string, stream: Duplex, begin: string): UnderWay {
  let bytes = 0;
  stream.on('data', (piece: Buffer) => {
    // On a stream of a session an empty message says: no more bytes from this side.
    if (piece.length === 0) stream.destroy();
    bytes += piece.length;
  });
  const ended = new Promise<number>((resolve) => {
    for (const event of ['end', 'close', 'error'] as const) stream.on(event, () => resolve(Date.now()));
  });
  stream.write(Buffer.from(begin));
  return { what, bytes: () => bytes, ended };
}

/** Read slowly, so that it is never over and takes no processor from others. */
function download(what: string, stream: Duplex, begin: string): UnderWay {
  const one = underWay(what, stream, begin);
  stream.on('data', () => {
    stream.pause();
    setTimeout(() => stream.resume(), 10);
  });
  return one;
}

const words = underWay;

/** Says a word, masked as RFC 6455 wants it, five times a second; each comes back. */
function webSocket(what: string, stream: Duplex): UnderWay {
  const upgrade = ['GET / HTTP/1.1', `Host: ${CHANNELS}`, 'Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13'];
  const one = underWay(what, stream, `${[...upgrade, `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`].join('\r\n')}\r\n\r\n`);
  const timer = setInterval(() => {
    if (stream.writable) stream.write(Buffer.from([0x82, 0x80 | 4, 0, 0, 0, 0, ...Buffer.from('word')]));
  }, 200);
  void one.ended.then(() => clearInterval(timer));
  return one;
}
