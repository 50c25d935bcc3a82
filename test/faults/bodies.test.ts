import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { limits } from '@postern/limits';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aftermath } from '@postern/test-harness/aftermath.ts';
import { getItem } from '@postern/test-harness/load.ts';
import type { Daemon } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { Stage } from '@postern/test-harness/stage.ts';

const cannot = lacking('openssl');
const MIB = 2 ** 20;
const BODY_BYTES = 16 * MIB;
const MANY = 100;
/** One person's bodies that the agent holds at once: those that came first are all answered. */
const HELD = Math.floor(limits.dbBodiesBytes / 2 / BODY_BYTES);
/** The most that all three may take together. */
const MOST_BYTES = 1.5e9;
/** tsh and the proxy hand on what comes, so that a body is held by one process at most. */
const HANDED_ON_MIB = 512;
/** For all of them, on two busy cores. */
const WITHIN_MS = 80_000;

/** A PutItem of exactly so many bytes: DynamoDB refuses an item of over 400 KB, once it has read all of it. */
function bodyOf(bytes: number): Buffer {
  const [head, tail] = ['{"TableName":"faults","Item":{"id":{"S":"big"},"value":{"S":"', '"}}}'];
  return Buffer.concat([Buffer.from(head), Buffer.alloc(bytes - head.length - tail.length, 'x'), Buffer.from(tail)]);
}

interface Answered {
  /** 0 where the connection broke or nothing came. */
  readonly status: number;
  readonly text: string;
}

/** One upload on a connection of its own. Whoever sends many of them shares one body: this process is not what is measured. */
function upload(port: number, body: Buffer): Promise<Answered> {
  const head = `POST / HTTP/1.1\r\nHost: localhost:${port}\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Target: DynamoDB_20120810.PutItem\r\nContent-Length: ${body.length}\r\n\r\n`;
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(head);
      socket.write(body);
    });
    const settle = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ status: Number(/^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1] ?? 0), text });
    };
    const timer = setTimeout(settle, WITHIN_MS);
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      const length = Number(/^content-length: *(\d+)\r$/im.exec(text)?.[1] ?? Number.NaN);
      if (end >= 0 && text.length >= end + 4 + length) settle();
    });
    socket.on('error', settle).on('close', settle);
  });
}

const residentMib = ({ child }: Daemon) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024;
const sumOf = (numbers: readonly number[]) => numbers.reduce((sum, one) => sum + one, 0);

describe.skipIf(cannot !== undefined || process.platform !== 'linux')('a hundred bodies of 16 MB at once', () => {
  const stage = new Stage();
  const { cluster } = stage;
  let parts: Readonly<Record<'tsh' | 'proxy' | 'agent', Daemon>>;
  let aftermath: Aftermath;
  let port = 0;

  beforeAll(async () => {
    await stage.open({ apart: true });
    const agent = stage.agent('one');
    await stage.attached(agent);
    const tunnel = await stage.tunnel();
    ({ port } = tunnel);
    if (cluster.proxyHost === undefined) throw new Error('the proxy does not run');
    parts = { tsh: tunnel.daemon, proxy: cluster.proxyHost, agent };
    // Code is compiled and pools fill: the growth that counts begins after that.
    expect((await upload(port, bodyOf(MIB))).status).toBe(400);
    aftermath = await Aftermath.before(cluster);
  });
  afterAll(() => cluster.stop());

  /** What each part had more than before, and all of them have together, at the worst moment. */
  async function peaksOf(
    act: () => Promise<void>,
  ): Promise<{ readonly grownMib: Readonly<Record<string, number>>; readonly bytes: number }> {
    const look = () => Object.values(parts).map(residentMib);
    const before = look();
    const grown = before.map(() => 0);
    let most = 0;
    const timer = setInterval(() => {
      const now = look();
      for (const [n, mib] of now.entries()) grown[n] = Math.max(grown[n] ?? 0, mib - (before[n] ?? 0));
      most = Math.max(most, sumOf(now));
    }, 50);
    await act().finally(() => clearInterval(timer));
    const grownMib = Object.fromEntries(Object.keys(parts).map((name, n) => [name, Math.round(grown[n] ?? 0)]));
    return { grownMib, bytes: most * MIB };
  }

  it('F-49 each is answered by DynamoDB or told to come again, nobody grows without bound, and nobody dies', async () => {
    const body = bodyOf(BODY_BYTES);
    const statuses: number[] = [];
    const { grownMib, bytes } = await peaksOf(async () => {
      const answers = await Promise.all(Array.from({ length: MANY }, () => upload(port, body)));
      // 408 is for a head that stood behind so many bodies on the one connection that it came too late.
      const others = answers.filter(({ status }) => ![400, 408, 503].includes(status)).map(({ status, text }) => `${status} ${text}`);
      expect([...new Set(others)]).toEqual([]);
      for (const { text } of answers.filter(({ status }) => status !== 400)) expect(text).toMatch(/"__type"/);
      statuses.push(...answers.map(({ status }) => status));
      // Whoever was told to come again is served when he does.
      for (let n = 0; n < 5; n += 1) expect((await upload(port, body)).status).toBe(400);
    });
    const answered = statuses.filter((status) => status === 400).length;
    console.info(`answered by DynamoDB: ${answered}; growth in MiB ${JSON.stringify(grownMib)}; together ${Math.round(bytes / 1e6)} MB`);
    expect(answered).toBeGreaterThanOrEqual(HELD);
    expect(bytes).toBeGreaterThan(HELD * body.length);
    expect(bytes).toBeLessThan(MOST_BYTES);
    for (const name of ['tsh', 'proxy']) expect(grownMib[name], `${name} grew`).toBeLessThan(HANDED_ON_MIB);
    for (const { child, name } of Object.values(parts)) expect(child.exitCode ?? child.signalCode, `${name} ended`).toBeNull();
    expect((await getItem(port)).status).toBe(200);
  });

  it('F-49 one byte over the limit is 413, and AWS sees nothing of it', async () => {
    const seen = cluster.dynamoDbAtAws().length;
    const refused = await upload(port, bodyOf(limits.dbBodyBytes + 1));
    expect(refused).toMatchObject({ status: 413, text: expect.stringContaining('"__type"') as unknown });
    expect(cluster.dynamoDbAtAws()).toHaveLength(seen);
  });

  it('after it nothing is lost, and the memory is given back', async () => {
    await aftermath.check({ port });
  });
});
