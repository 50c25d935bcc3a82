import { connect } from 'node:net';
import { Cluster, ROLE } from '@postern/test-harness/cluster.ts';
import { hostileHosts } from '@postern/test-harness/hostile-hosts.ts';
import { freePort, until } from '@postern/test-harness/processes.ts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type OpenDoor, openDoor, openStage } from '#02-aws-guide/stage.ts';
import { sign } from '#03-aws-requests/signer.ts';
import { answerOf, call, type Call, type Door, endpointDoor, proxyDoor, written } from '#03-aws-requests/wire.ts';

const DYNAMODB = 'dynamodb.us-east-1.amazonaws.com';
const S3 = 's3.us-east-1.amazonaws.com';
const JSON_1_0 = ['Content-Type', 'application/x-amz-json-1.0'] as const;
const TARGET = ['X-Amz-Target', 'DynamoDB_20120810.ListTables'] as const;
const LIST: Call = {
  awsHost: DYNAMODB,
  service: 'dynamodb',
  method: 'POST',
  path: '/',
  headers: [JSON_1_0, TARGET],
  body: Buffer.from('{}'),
};

/** What fools whoever looks for AWS's name in a host instead of knowing the host; a letter for a byte. */
const FALSE_HOSTS = [
  ...hostileHosts,
  'dynamodb.us-east-1.ama\u212Aonaws.com',
  'dynamodb.us-east-1.a\tmazonaws.com',
  '127.0.0.1',
  'dynamodb.us-east-1.amazonaws.com.cn',
  'ec2-1-2-3-4.compute-1.amazonaws.com',
  'lb-1.us-east-1.elb.amazonaws.com',
].map((host) => Buffer.from(host).toString('latin1'));

describe('the attackers at the host of a request', () => {
  const cluster = new Cluster();
  let opened: OpenDoor;
  let proxy: Door;
  let endpoint: Door;
  const atAws = () => cluster.rawLog().filter(({ service }) => service !== 'sts');

  beforeAll(async () => {
    await openStage(cluster);
    await cluster.mustSh(`tsh apps login --aws-role ${ROLE} aws`);
    opened = await openDoor(cluster);
    proxy = proxyDoor(opened.env);
    const port = await freePort();
    await cluster.mustSh(`tsh up --port ${port}`);
    endpoint = endpointDoor(port, proxy.keys);
  });
  afterAll(async () => {
    await cluster.sh('tsh down');
    await cluster.stop();
  });
  afterEach(async () => {
    for (const operation of ['GetObject', 'PutObject', 'ListTables']) await cluster.awsFault(operation, undefined);
  });
  const doors = () => [proxy, endpoint];

  it('the honest request gets through by either door, so that the refusals below mean something', async () => {
    for (const door of doors()) expect((await call(door, LIST)).body.toString()).toBe('{"TableNames":[]}');
  });

  it.each(FALSE_HOSTS)('AP-05 Host %j reaches nothing, signed as it is, by either door', async (host) => {
    const before = atAws().length;
    for (const door of doors()) {
      const answer = await call({ ...door, hostFor: () => host }, LIST);
      expect([400, 403]).toContain(answer.status);
      expect(answer.body.toString()).not.toContain('TableNames');
    }
    expect(atAws()).toHaveLength(before);
  });

  it.each(FALSE_HOSTS)('CONNECT to %j is given no certificate of ours, and nothing behind it', async (host) => {
    const before = cluster.rawLog().length;
    const said = await new Promise<string>((resolve) => {
      let text = '';
      const socket = connect(opened.port, '127.0.0.1', () => {
        socket.write(Buffer.from(`CONNECT ${host}:443 HTTP/1.1\r\nHost: ${host}:443\r\n\r\n`, 'latin1'));
      });
      socket.on('data', (bytes) => (text += bytes.toString('latin1')));
      socket.on('error', () => undefined).on('close', () => resolve(text));
      socket.setTimeout(15_000, () => socket.destroy());
    });
    expect(said).toMatch(/^HTTP\/1\.1 (?:400|403|502) /);
    expect(cluster.rawLog()).toHaveLength(before);
  });

  it('headers that name a host for another hop change nothing, and do not reach AWS', async () => {
    const told = ['X-Forwarded-Host', 'X-Forwarded-For', 'Forwarded', 'X-Original-Host', 'X-Host', 'X-Forwarded-Server'] as const;
    for (const door of doors()) {
      const before = atAws().length;
      const unsigned = told.map((name) => [name, name === 'Forwarded' ? 'host=evil.example' : 'evil.example'] as const);
      expect((await call(door, { ...LIST, unsigned })).body.toString()).toBe('{"TableNames":[]}');
      const signed = await call(door, { ...LIST, headers: [...(LIST.headers ?? []), ['X-Forwarded-Host', 'evil.example']] });
      expect(signed.body.toString()).toBe('{"TableNames":[]}');
      const seen = atAws().slice(before) as unknown as readonly { host: string; headers: readonly (readonly [string, string])[] }[];
      expect(seen.map(({ host }) => host)).toEqual([DYNAMODB, DYNAMODB]);
      const names = seen.flatMap(({ headers }) => headers.map(([name]) => name.toLowerCase()));
      expect(names.filter((name) => /forwarded/.test(name))).toEqual([]);
    }
  });

  it('a second Host, and a target that is a whole address, are not taken', async () => {
    const before = atAws().length;
    for (const door of doors()) {
      const twice = await call(door, { ...LIST, unsigned: [['Host', 'evil.example']] });
      expect([400, 403]).toContain(twice.status);
      const { head, body } = written(door, LIST, [['Connection', 'close']]);
      const wire = await door.open(DYNAMODB);
      wire.send(head.replace('POST / ', 'POST https://evil.example/ ') + body.toString());
      await until('the refusal', 10_000, () => (wire.isClosed() ? true : undefined));
      expect([400, 403]).toContain(answerOf(wire.said()).status);
    }
    expect(atAws()).toHaveLength(before);
  });

  it('a signature of yesterday, and a scope of yesterday under a date of today, are not taken', async () => {
    const before = atAws().length;
    const yesterday = new Date(Date.now() - 24 * 3_600_000);
    for (const door of doors()) {
      const asked = { ...LIST, host: door.hostFor(DYNAMODB), payload: 'UNSIGNED-PAYLOAD' };
      const old = sign(asked, door.keys, yesterday);
      const today = sign(asked, door.keys).date;
      for (const [date, words] of [
        [old.date, /Signature expired/],
        [today, /scope is of \d{8}/],
      ] as const) {
        const lines = old.headers.map(([name, value]) => `${name}: ${name === 'X-Amz-Date' ? date : value}\r\n`);
        const wire = await door.open(DYNAMODB);
        wire.send(`POST / HTTP/1.1\r\n${lines.join('')}Content-Length: 2\r\nConnection: close\r\n\r\n{}`);
        await until('the refusal', 10_000, () => (wire.isClosed() ? true : undefined));
        const answer = answerOf(wire.said());
        expect([answer.status, answer.body.toString()]).toEqual([400, expect.stringMatching(words)]);
      }
    }
    expect(atAws()).toHaveLength(before);
  });

  it('AWS’s redirect is the client’s to follow or not: the agent goes nowhere by it', async () => {
    const elsewhere = `${cluster.emulatorUrl}/files/secret`;
    for (const redirectStatus of [301, 307] as const) {
      for (const operation of ['GetObject', 'PutObject']) await cluster.awsFault(operation, { redirectTo: elsewhere, redirectStatus });
      for (const door of doors()) {
        const before = atAws().length;
        const answer = await call(door, { awsHost: S3, service: 's3', method: 'GET', path: '/files/key' });
        expect([answer.status, answer.headers.get('location')]).toEqual([redirectStatus, elsewhere]);
        const put = await call(door, { awsHost: S3, service: 's3', method: 'PUT', path: '/files/key', body: Buffer.alloc(10_000) });
        expect([put.status, put.headers.get('location')]).toEqual([redirectStatus, elsewhere]);
        const seen = atAws().slice(before) as unknown as readonly { path: string }[];
        expect(seen.map(({ path }) => path)).toEqual(['/files/key', '/files/key']);
      }
    }
  });

  it('an answer that goes on behind its end is one answer: what is behind is nobody’s, on the same connection too', async () => {
    for (const door of doors()) {
      await cluster.awsFault('ListTables', { lengthOff: -5, times: 1 });
      const wire = await door.open(DYNAMODB);
      const { head, body } = written(door, LIST);
      const request = Buffer.concat([Buffer.from(head, 'latin1'), body]);
      wire.send(request);
      const length = '{"TableNames":[]}'.length;
      const first = await until('the first answer', 10_000, () =>
        wire
          .said()
          .split('\r\n\r\n')[1]
          ?.slice(0, length - 5),
      );
      expect(first).toBe('{"TableNames":[]}'.slice(0, length - 5));
      const { length: soFar } = wire.said();
      wire.send(request);
      await until('the second answer, or the end', 10_000, () =>
        wire.isClosed() || wire.said().slice(soFar).includes(']}') ? true : undefined,
      );
      const second = wire.said().slice(soFar);
      if (second !== '') expect([answerOf(second).status, answerOf(second).body.toString()]).toEqual([200, '{"TableNames":[]}']);
      wire.close();
      expect((await call(door, LIST)).body.toString()).toBe('{"TableNames":[]}');
    }
  });
});
