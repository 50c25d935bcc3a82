import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PASSWORD, root } from '@postern/test-harness/cluster.ts';
import { type Daemon, freePort, until } from '@postern/test-harness/processes.ts';
import { call } from '@postern/test-harness/load.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { Stage } from '@postern/test-harness/stage.ts';
import { growthOf } from './growth.ts';

const cannot = lacking('openssl');
const MIB = 2 ** 20;
const GIB = 2 ** 30;
const FAR_BYTES = 96 * MIB;
const MOST_GROWTH_MIB = 96;
const LEAST_MBS = 150;
const LEAST_FAR_MBS = 40;
const HALF_ROUND_TRIP_MS = 25;

/** Holds back what passes, each way, without limiting how much is on the way. */
function longWire(target: number): Server {
  const pump = (from: Socket, to: Socket) => {
    from.on('data', (bytes) => setTimeout(() => to.write(bytes), HALF_ROUND_TRIP_MS));
    from.on('end', () => setTimeout(() => to.end(), HALF_ROUND_TRIP_MS));
    from.on('error', () => to.destroy()).on('close', () => setTimeout(() => to.destroy(), HALF_ROUND_TRIP_MS));
  };
  return createServer({ noDelay: true, allowHalfOpen: true }, (near) => {
    const far = connect({ port: target, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    pump(near, far);
    pump(far, near);
  });
}

const requestFor = (port: number, operation: string) =>
  [
    'POST / HTTP/1.1',
    `Host: localhost:${port}`,
    'Content-Type: application/x-amz-json-1.0',
    `X-Amz-Target: DynamoDB_20120810.${operation}`,
    'Content-Length: 21',
    '',
    '{"TableName":"fruit"}',
  ].join('\r\n');

interface Counted {
  readonly bytes: number;
  readonly seconds: number;
}

/** One request on a socket of its own; counts the body and throws it away. `after` is awaited every 64 MiB. */
function download(port: number, operation: string, after?: () => Promise<void>): Promise<Counted> {
  return new Promise((resolve, reject) => {
    let expected = 0;
    let got = 0;
    let nextStop = 64 * MIB;
    let firstAt = 0;
    let head = Buffer.alloc(0);
    const socket = connect(port, '127.0.0.1', () => socket.write(requestFor(port, operation)));
    socket.on('data', (chunk: Buffer) => {
      let body = chunk;
      if (expected === 0) {
        head = Buffer.concat([head, chunk]);
        const at = head.indexOf('\r\n\r\n');
        if (at < 0) return;
        const text = head.toString('latin1', 0, at);
        expected = Number(/^HTTP\/1\.1 200 [^]*\r\ncontent-length: ?(\d+)/i.exec(text)?.[1]);
        if (!(expected > 0)) return reject(new Error(text));
        firstAt = performance.now();
        body = head.subarray(at + 4);
      }
      got += body.length;
      if (got >= expected) {
        socket.destroy();
        return resolve({ bytes: got, seconds: (performance.now() - firstAt) / 1000 });
      }
      if (after === undefined || got < nextStop) return;
      nextStop += 64 * MIB;
      socket.pause();
      void after().then(() => socket.resume());
    });
    socket.on('error', reject).on('close', () => reject(new Error(`cut after ${got} of ${expected} bytes`)));
  });
}

describe.skipIf(cannot !== undefined)('an answer of a GiB', () => {
  const stage = new Stage();
  const { cluster } = stage;
  let daemons: Readonly<Record<string, Daemon>>;
  let port = 0;
  let wire: Server | undefined;

  beforeAll(async () => {
    await stage.open({ apart: true });
    const pem = (name: string) => join(cluster.dir, name);
    const sizes = ['GetItem=300', `Query=${FAR_BYTES}`, `Scan=${GIB}`];
    const upstream = cluster.daemon('upstream', [
      process.execPath,
      join(root, 'bench/upstream.mjs'),
      pem('web-key.pem'),
      pem('web-cert.pem'),
      ...sizes,
    ]);
    const [, upstreamPort] = await upstream.says(/listening on (\d+)/);
    const agent = stage.agent('one', {
      env: { AWS_ENDPOINT_URL_DYNAMODB: `https://localhost:${upstreamPort}`, NODE_EXTRA_CA_CERTS: pem('web-ca.pem') },
    });
    await stage.attached(agent);
    const tunnel = await cluster.openTunnel('alice');
    ({ port } = tunnel);
    await until('an answer', 20_000, async () => ((await small(port)) === 200 ? true : undefined));
    const proxy = cluster.running().find(({ name }) => name === 'proxy-host');
    if (proxy === undefined) throw new Error('the proxy does not run');
    daemons = { tsh: tunnel.daemon, proxy, agent };
    // Code is compiled and pools fill: the growth that counts begins after that.
    await download(port, 'Query');
  });
  afterAll(async () => {
    wire?.close();
    await cluster.stop();
  });

  const small = async (at: number) => (await call(at, 'GetItem', { TableName: 'fruit', Key: { id: { S: 'one' } } })).status;

  const none = (growth: Record<string, number>) => {
    for (const [name, mib] of Object.entries(growth)) expect(mib, `${name} grew`).toBeLessThanOrEqual(MOST_GROWTH_MIB);
  };

  it('comes whole, no process keeps it, and small requests beside it in the same session are answered', async () => {
    const took: number[] = [];
    const over = new AbortController();
    const growth = await growthOf(daemons, async () => {
      const beside = (async () => {
        while (!over.signal.aborted) {
          const startedMs = performance.now();
          expect(await small(port)).toBe(200);
          took.push(performance.now() - startedMs);
          await delay(20);
        }
      })();
      const { bytes, seconds } = await download(port, 'Scan').finally(() => over.abort());
      await beside;
      expect(bytes).toBe(GIB);
      console.info(`1 GiB at ${Math.round(bytes / 1e6 / seconds)} MB/s`);
    });
    const sorted = took.toSorted((a, b) => a - b);
    const at = (share: number) => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
    console.info(
      `${took.length} beside it: p50 ${at(0.5).toFixed(1)} ms, p99 ${at(0.99).toFixed(1)} ms; growth in MiB ${JSON.stringify(growth)}`,
    );
    expect(took.length).toBeGreaterThan(20);
    expect(at(0.5)).toBeLessThan(250);
    none(growth);
  });

  it('comes at 150 MB/s', async () => {
    const rates: number[] = [];
    for (let i = 0; i < 3 && Math.max(0, ...rates) < LEAST_MBS; i += 1) {
      const { bytes, seconds } = await download(port, 'Scan');
      rates.push(bytes / 1e6 / seconds);
    }
    console.info(`1 GiB at ${rates.map((rate) => Math.round(rate)).join(', ')} MB/s`);
    expect(Math.max(...rates)).toBeGreaterThanOrEqual(LEAST_MBS);
  });

  it('waits for a client that reads slowly, and nobody collects it meanwhile', async () => {
    none(
      await growthOf(daemons, async () => {
        const { bytes } = await download(port, 'Scan', () => delay(300));
        expect(bytes).toBe(GIB);
      }),
    );
  });

  it('comes to a client that has shut its sending side, as `nc -N` does', async () => {
    const answer = await new Promise<string>((resolve, reject) => {
      let text = '';
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => socket.end(requestFor(port, 'GetItem')));
      socket.on('data', (chunk) => (text += chunk.toString('latin1'))).on('end', () => resolve(text));
      socket.on('error', reject);
    });
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer).toContain('{"Item":');
  });

  it('keeps its pace over a wire of 50 ms between tsh and the proxy', async () => {
    const wirePort = await freePort();
    wire = longWire(cluster.proxyPort).listen(wirePort, '127.0.0.1');
    await cluster.mustSh(`tsh login --proxy=localhost:${wirePort} --user=alice`, { person: 'far', input: `${PASSWORD}\n` });
    const far = await cluster.openTunnel('far');
    await until('an answer over the wire', 20_000, async () => ((await small(far.port)) === 200 ? true : undefined));
    const rates: number[] = [];
    for (let i = 0; i < 5 && Math.max(0, ...rates) < LEAST_FAR_MBS; i += 1) {
      const [near, there] = [await download(port, 'Query'), await download(far.port, 'Query')];
      rates.push(there.bytes / 1e6 / there.seconds);
      console.info(`near ${Math.round(near.bytes / 1e6 / near.seconds)} MB/s, over 50 ms ${Math.round(rates.at(-1) ?? 0)} MB/s`);
    }
    expect(Math.max(...rates)).toBeGreaterThanOrEqual(LEAST_FAR_MBS);
  });
});
