import { randomBytes } from 'node:crypto';
import { readdirSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { describe, expect, it } from 'vitest';
import { arrivedAfter, doorNames, linesOf, BothDoors } from '#03-aws-requests/both-doors.ts';
import { ask } from '#03-aws-requests/rare.ts';
import { sha256, sign } from '#03-aws-requests/signer.ts';
import { answerOf, call, type Call, type Wire, written } from '#03-aws-requests/wire.ts';

const cannot = lacking('boto3');
const S3 = 's3.us-east-1.amazonaws.com';
const MIB = 1024 * 1024;
/** Longer than a head may take, at each of the doors on the way. */
const LATE_MS = 12_000;

/** As GetDataEndpoint tells it. */
const VIDEO = 's-1234abcd.kinesisvideo.us-east-1.amazonaws.com';
const STREAM = [
  ['x-amzn-stream-name', 'front door'],
  ['x-amzn-fragment-timecode-type', 'RELATIVE'],
  ['x-amzn-producer-start-timestamp', '1790000000.250'],
] as const;
const chunk = (piece: Buffer) => Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]);

describe.skipIf(cannot !== undefined)('requests that are long on their way', () => {
  const stage = new BothDoors();
  const { cluster } = stage;

  it('a function that answers late is waited for, at both doors', async () => {
    await cluster.awsFault('Invoke', { delayMs: LATE_MS });
    const before = cluster.rawLog().length;
    const told = await Promise.all(doorNames.map((name) => ask(cluster, stage.doors[name], { case: 'late' })));
    expect(told.map(({ read }) => read)).toEqual(doorNames.map(() => ({ patience: true })));
    expect(arrivedAfter(cluster, before)).toHaveLength(2);
    await cluster.awsFault('Invoke', undefined);
  }, 60_000);

  it.each([
    ['the producers in C and C++ sign it, as if there were none', sha256(''), true],
    ['the one in Java signs it, under a name', 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD', false],
  ])('video without an end reaches AWS while it is made, and each piece is acknowledged: as %s', async (_, payload, isTacit) => {
    const before = cluster.rawLog().length;
    const wire = await camera({ payload, isTacit });
    const pieces = Array.from({ length: 5 }, () => randomBytes(10_000));
    for (const [at, piece] of pieces.entries()) {
      wire.send(chunk(piece));
      const acknowledged = `{"EventType":"RECEIVED","FragmentNumber":"${(at + 1) * 10_000}"}`;
      await until(`word of piece ${at}`, 10_000, () => (wire.said().includes(acknowledged) ? true : undefined));
    }
    expect(wire.said()).toMatch(/^HTTP\/1\.1 200 /);
    expect(arrivedAfter(cluster, before)).toEqual([]);
    wire.send('0\r\n\r\n');
    await until('the last word', 10_000, () => (wire.said().includes('"PERSISTED"') ? true : undefined));
    wire.close();
    const [entry = expect.fail('nothing arrived'), ...others] = arrivedAfter(cluster, before);
    expect(others).toEqual([]);
    expect(entry).toMatchObject({ host: VIDEO, path: '/putMedia', verified: true, bodySha256: sha256(Buffer.concat(pieces)) });
    for (const [name, value] of STREAM) expect(linesOf(entry, name)).toEqual([value]);
    expect(linesOf(entry, 'x-amz-content-sha256')).toEqual(isTacit ? [] : [payload]);
    expect(linesOf(entry, 'transfer-encoding')).toEqual(['chunked']);
  });

  it('video that is cut off was taken as far as it came, and the audit log does not say that it was not sent', async () => {
    const before = cluster.rawLog().length;
    const wire = await camera({ payload: sha256(''), isTacit: true });
    wire.send(chunk(randomBytes(10_000)));
    await until('the acknowledgement', 10_000, () => (wire.said().includes('"10000"') ? true : undefined));
    wire.close();
    const seen = await until('what AWS thinks of it', 10_000, () => arrivedAfter(cluster, before)[0]);
    expect(seen).toMatchObject({ verified: false, refusal: 'IncompleteBody' });
    const event = await until('the outcome in the audit log', 20_000, async () => {
      const all = JSON.parse(await cluster.admin('tctl audit ls --kind=app.session.request --limit=1000 -f json')) as Record<
        string,
        unknown
      >[];
      return all.findLast((one) => one['path'] === '/putMedia' && one['phase'] === 'outcome' && one['outcome'] !== 'answered');
    });
    expect(event).toMatchObject({ outcome: 'unknown', status_code: 200, request_bytes: 10_000, aws_host: VIDEO });
  });

  /** The head of PutMedia, sent by a camera of the test's own. */
  async function camera(signing: { readonly payload: string; readonly isTacit: boolean }): Promise<Wire> {
    const { door } = stage.doors['tsh proxy aws'];
    const wire = await door.open(VIDEO);
    const asked = { method: 'POST', host: VIDEO, path: '/putMedia', service: 'kinesisvideo', headers: STREAM, ...signing };
    const lines = [...sign(asked, door.keys).headers, ['Transfer-Encoding', 'chunked'] as const];
    wire.send(`POST /putMedia HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);
    return wire;
  }

  describe.each(doorNames)('through %s', (name) => {
    const door = () => stage.doors[name].door;
    const bucket = `/${name.replaceAll(' ', '-')}`;
    const s3 = (asked: Partial<Call> & Pick<Call, 'method' | 'path'>) => call(door(), { awsHost: S3, service: 's3', ...asked });
    /** The files that the agent has open for bodies, and how long they are. */
    const spooled = () => {
      const descriptors = `/proc/${stage.agent.child.pid}/fd`;
      return readdirSync(descriptors).flatMap((one) => {
        try {
          return readlinkSync(join(descriptors, one)).includes('/app-bodies/') ? [statSync(join(descriptors, one)).size] : [];
        } catch {
          return [];
        }
      });
    };

    it('what has to be hashed first waits in a file, and not in memory; half of it reaches nobody', async () => {
      const content = randomBytes(24 * MIB);
      const path = '/2015-03-31/functions/echo/code';
      const before = cluster.rawLog().length;
      const asked = { awsHost: 'lambda.us-east-1.amazonaws.com', service: 'lambda', method: 'PUT', path, body: content };
      const { head, body } = written(door(), { ...asked, payload: sha256(content), isTacit: true }, [['Connection', 'close']]);
      const wire = await door().open(asked.awsHost);
      wire.send(Buffer.from(head, 'latin1'));
      wire.send(body.subarray(0, 16 * MIB));
      await until('the body to be in a file', 20_000, () => (spooled().some((bytes) => bytes > 15 * MIB) ? true : undefined));
      expect(arrivedAfter(cluster, before)).toEqual([]);
      wire.send(body.subarray(16 * MIB));
      await until('the answer', 20_000, () => (wire.isClosed() ? true : undefined));
      expect(answerOf(wire.said()).body.toString()).toBe(`{"FunctionName":"echo","CodeSize":${24 * MIB}}`);
      expect(arrivedAfter(cluster, before)).toMatchObject([{ path, payload: 'absent', bodySha256: sha256(content), verified: true }]);
      await until('the file to be gone', 10_000, () => (spooled().length === 0 ? true : undefined));
    }, 60_000);

    it('a client that leaves in the middle of what it uploads has uploaded nothing', async () => {
      expect(await s3({ method: 'PUT', path: bucket })).toMatchObject({ status: 200 });
      const before = cluster.rawLog().length;
      const path = `${bucket}/left`;
      const content = randomBytes(5 * MIB);
      const asked: Call = { awsHost: S3, service: 's3', method: 'PUT', path, body: content, payload: 'UNSIGNED-PAYLOAD' };
      // Whoever asks first knows that AWS has the head.
      const { head, body } = written(door(), asked, [['Expect', '100-continue']]);
      const wire = await door().open(S3);
      wire.send(Buffer.from(head, 'latin1'));
      await until('AWS to want the body', 10_000, () => (wire.said().includes('100 Continue') ? true : undefined));
      wire.send(body.subarray(0, 3 * MIB));
      wire.close();
      const seen = await until('what AWS thinks of it', 10_000, () => arrivedAfter(cluster, before)[0]);
      expect(seen).toMatchObject({ method: 'PUT', path, verified: false, refusal: 'IncompleteBody' });
      expect((await s3({ method: 'HEAD', path })).status).toBe(404);
      await until('the outcome in the audit log', 20_000, async () => {
        const printed = await cluster.admin('tctl audit ls --kind=app.session.request --limit=1000 -f json');
        const events = JSON.parse(printed) as Record<string, unknown>[];
        return events.some((event) => event['path'] === path && event['method'] === 'PUT' && event['outcome'] === 'not_sent')
          ? true
          : undefined;
      });
    });

    it('503 of AWS in the middle of an upload is read by its client, who comes again', async () => {
      const path = `${bucket}/slowly`;
      const content = randomBytes(5 * MIB);
      const asked: Call = { awsHost: S3, service: 's3', method: 'PUT', path, body: content, payload: 'UNSIGNED-PAYLOAD' };
      await cluster.awsFault('PutObject', { status: 503, code: 'SlowDown', times: 1 });
      const { head, body } = written(door(), asked, [['Connection', 'close']]);
      const wire = await door().open(S3);
      wire.send(Buffer.from(head, 'latin1'));
      wire.send(body.subarray(0, MIB));
      await until('the answer', 10_000, () => (/<\/Error>/.test(wire.said()) ? true : undefined));
      const answer = answerOf(wire.said());
      expect([answer.status, answer.body.toString()]).toEqual([503, expect.stringContaining('<Code>SlowDown</Code>')]);
      wire.close();
      expect((await s3({ method: 'HEAD', path })).status).toBe(404);
      expect((await call(door(), asked)).status).toBe(200);
      expect((await s3({ method: 'HEAD', path })).headers.get('content-length')).toBe(String(5 * MIB));
    });
  });
});
