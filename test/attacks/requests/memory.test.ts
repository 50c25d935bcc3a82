import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lacking } from '@postern/test-harness/programs.ts';
import { ask, Company } from './company.ts';

const cannot = lacking('openssl');
const MIB = 1024 * 1024;
/** What an agent may hold at its worst. */
const MOST = 1536 * MIB;

describe.skipIf(cannot !== undefined || process.platform !== 'linux')('large bodies', () => {
  const company = new Company();
  const { cluster } = company;
  let port = 0;
  const peakBytes = () => {
    const status = readFileSync(`/proc/${company.agent?.child.pid ?? 0}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? Number.NaN) * 1024;
  };

  beforeAll(async () => {
    await company.open();
    ({ port } = await cluster.openTunnel('alice'));
  });
  afterAll(() => cluster.stop());

  it('AG-09 a hundred of 16 MB at once, told what to do with and without a length', async () => {
    const body = `{"TableName":"missing","Item":{"id":{"S":"${'x'.repeat(16 * MIB - 100)}"}}}`;
    const answers = await Promise.all(Array.from({ length: 100 }, (_, n) => upload(port, n % 2 === 0 ? [body] : slices(body, 64 * 1024))));
    // Refused by DynamoDB, by the agent for want of room, or by tsh where this process was too busy to send a head in time.
    expect(answers.filter((status) => ![0, 400, 403, 413, 503].includes(status))).toEqual([]);
    expect(answers).toContain(400);
    expect(peakBytes()).toBeLessThan(MOST);
    expect((await ask(port, { operation: 'ListTables', body: '{}' })).status).toBe(200);
  });

  it('one in single bytes is refused at once', async () => {
    const before = company.seen().length;
    expect(await upload(port, slices(' '.repeat(200_000), 1))).toBe(400);
    expect(company.seen()).toHaveLength(before);
    expect(peakBytes()).toBeLessThan(MOST);
  });
});

function slices(text: string, bytes: number): string[] {
  return Array.from({ length: Math.ceil(text.length / bytes) }, (_, at) => text.slice(at * bytes, (at + 1) * bytes));
}

/** The status of an upload; more than one piece is sent in chunks, without a length. */
function upload(port: number, pieces: readonly string[]): Promise<number> {
  const [only = ''] = pieces;
  return new Promise((resolve) => {
    const call = request({
      host: '127.0.0.1',
      port,
      method: 'POST',
      agent: false,
      headers: {
        host: `localhost:${port}`,
        'content-type': 'application/x-amz-json-1.0',
        'x-amz-target': 'DynamoDB_20120810.PutItem',
        ...(pieces.length === 1 ? { 'content-length': Buffer.byteLength(only) } : { 'transfer-encoding': 'chunked' }),
      },
    });
    call.on('response', (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    call.on('error', () => resolve(0));
    call.setTimeout(60_000, () => call.destroy());
    for (const piece of pieces) call.write(piece);
    call.end();
  });
}
