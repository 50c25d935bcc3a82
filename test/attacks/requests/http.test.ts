import type { Client } from '@grpc/grpc-js';
import { PASSWORD, ROLE } from '@postern/test-harness/cluster.ts';
import { dial, sessionName, sessionRaw, signInRaw } from '@postern/test-harness/dial.ts';
import { until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostCasOf } from '../identities/held.ts';
import { Company, DATABASE } from './company.ts';
import { hostileHosts } from '@postern/test-harness/hostile-hosts.ts';
import { answersIn, type Exchanged, statusOf, throughStream, throughTsh } from './wire.ts';

const cannot = lacking('openssl');
const LIST = 'DynamoDB_20120810.ListTables';
/** What stands behind a refused request and must never be taken for one. */
const SMUGGLED = 'smuggled-';

describe.skipIf(cannot !== undefined)('bytes that are to be read in one way', () => {
  const company = new Company();
  const { cluster } = company;
  let port = 0;
  let client: Client;
  const host = () => `Host: localhost:${port}`;
  const type = 'Content-Type: application/x-amz-json-1.0';
  const target = (name = LIST) => `X-Amz-Target: ${name}`;
  const request = (lines: readonly string[], body = '{}') => Buffer.from(['POST / HTTP/1.1', ...lines, '', body].join('\r\n'), 'latin1');
  const plain = (...more: readonly string[]) => request([host(), type, target(), 'Content-Length: 2', ...more]);
  const attempts: string[] = [];
  const behind = (what: string) => {
    const body = JSON.stringify({ TableName: `${SMUGGLED}${attempts.push(what) - 1}` });
    return request([host(), type, target('DynamoDB_20120810.DescribeTable'), `Content-Length: ${body.length}`], body);
  };
  const both = async (bytes: Buffer): Promise<readonly Exchanged[]> => [
    await throughTsh(port, bytes),
    await throughStream(client, port, bytes),
  ];

  /** Both ways in answer once, with no, and close; nothing of it, and nothing behind it, reaches AWS. */
  async function isRefused(what: string, bytes: Buffer, status: RegExp = /^4\d\d$/): Promise<void> {
    const before = company.seen().length;
    for (const { text, isClosed } of await both(Buffer.concat([bytes, behind(what)]))) {
      expect({ what, status: String(statusOf(text)), isClosed }).toEqual({
        what,
        status: expect.stringMatching(status) as unknown,
        isClosed: true,
      });
      expect({ what, answers: answersIn(text) }).toEqual({ what, answers: 1 });
    }
    expect({ what, atAws: company.seen().length }).toEqual({ what, atAws: before });
  }

  /** Both ways in let it pass; what "AWS" wrote down of it. */
  async function passes(bytes: Buffer): Promise<readonly Record<string, string>[]> {
    const before = company.seen().length;
    for (const { text } of await both(bytes)) expect(text).toMatch(/^HTTP\/1\.1 200 /);
    const seen = company.seen().slice(before);
    expect(seen).toHaveLength(2);
    return seen.map(({ headers }) => Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value])));
  }

  beforeAll(async () => {
    await company.open();
    ({ port } = await cluster.openTunnel('alice'));
    const hostCas = await hostCasOf(cluster);
    const alice = await signInRaw(cluster.proxy, hostCas, { user: 'alice', password: PASSWORD });
    const session = await sessionRaw(cluster.proxy, hostCas, alice, { db: DATABASE, principal: ROLE });
    client = dial(cluster.proxy, sessionName(session.issued.ticket), hostCas, session);
  });
  afterAll(async () => {
    client.close();
    await cluster.stop();
  });

  it('the honest request passes both ways, so that the refusals below mean something', async () => {
    expect(await passes(plain())).toHaveLength(2);
  });

  it('ED-01 a length and chunks in one request', async () => {
    const chunks = '0\r\n\r\nGET /smug HTTP/1.1\r\n\r\n';
    const lines = [host(), type, target()];
    await isRefused('length first', request([...lines, 'Content-Length: 4', 'Transfer-Encoding: chunked'], chunks));
    await isRefused('chunks first', request([...lines, 'Transfer-Encoding: chunked', 'Content-Length: 4'], chunks));
    await isRefused('a length of all', request([...lines, 'Transfer-Encoding: chunked', `Content-Length: ${chunks.length}`], chunks));
  });

  it('ED-02 lengths, codings and line ends that two readers take in two ways', async () => {
    const lines = [host(), type, target()];
    for (const more of [
      ['Content-Length: 2', 'Content-Length: 2'],
      ['Content-Length: 2', 'Content-Length: 3'],
      ['Content-Length: 2, 2'],
      ['Content-Length : 2'],
      ['Content-Length: +2'],
      ['Content-Length: -2'],
      ['Content-Length: 0x2'],
      ['Content-Length: 2 2'],
      ['Content-Length: 99999999999999999999'],
      ['Content-Length:'],
      ['Transfer-Encoding: xchunked'],
      ['Transfer-Encoding: chunked, identity'],
      ['Transfer-Encoding: identity, chunked'],
      ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'],
      ['Transfer-Encoding : chunked'],
      ['Transfer-Encoding: "chunked"'],
      ['Transfer-Encoding:\x0bchunked'],
      ['Content-Length: 2', 'X-Folded: a', ' b'],
      ['Content-Length: 2', 'X-Nul: a\0b'],
      ['Content-Length: 2', 'X-Return: a\rb'],
      ['Content-Length: 2', 'X Space: a'],
      ['Content-Length: 2', ': empty'],
      ['Content-Length: 2', 'X-Bare: a\nX-Amz-Target: DynamoDB_20120810.DeleteTable'],
    ])
      await isRefused(more.join(' | '), request([...lines, ...more]));
    const chunked = (body: string) => request([...lines, 'Transfer-Encoding: chunked'], body);
    for (const body of [
      '+2\r\n{}\r\n0\r\n\r\n',
      '0x2\r\n{}\r\n0\r\n\r\n',
      '2 \n{}\r\n0\r\n\r\n',
      '2\r\n{}0\r\n\r\n',
      'fffffffffffffffff\r\n{}',
      '-1\r\n',
    ])
      await isRefused(`a chunk ${JSON.stringify(body)}`, chunked(body));
    await isRefused('bare line feeds', Buffer.from(plain().toString('latin1').replaceAll('\r\n', '\n'), 'latin1'));
    await isRefused('HTTP/1.0 with chunks', Buffer.from(chunked('2\r\n{}\r\n0\r\n\r\n').toString().replace('HTTP/1.1', 'HTTP/1.0')));
  });

  it('ED-03 two Host headers, and a Host beside a URL of another', async () => {
    await isRefused('two hosts', request([host(), 'Host: dynamodb.us-east-1.amazonaws.com', type, target(), 'Content-Length: 2']));
    await isRefused('the same twice', request([host(), host(), type, target(), 'Content-Length: 2']));
    await isRefused('none', request([type, target(), 'Content-Length: 2']));
    const absolute = plain().toString().replace('POST / ', 'POST http://dynamodb.us-east-1.amazonaws.com/ ');
    await isRefused('a URL', Buffer.from(absolute));
  });

  it('ED-05 what a client says of hops before it goes no further, and the log has the address of its socket', async () => {
    const claims = ['For', 'Host', 'Proto', 'Port', 'Uri'].map((name) => `X-Forwarded-${name}: 203.0.113.9`);
    const seen = await passes(plain(...claims, 'Forwarded: for=203.0.113.9', 'X-Real-IP: 203.0.113.9', 'Via: 1.1 203.0.113.9'));
    for (const headers of seen) expect(JSON.stringify(headers)).not.toContain('203.0.113.9');
    const log = await cluster.admin('tctl audit ls -f json --limit 1000');
    expect(log).not.toContain('203.0.113.9');
    expect(log).toContain('127.0.0.1');
  });

  it('ED-06 Connection takes no header away that was judged', async () => {
    for (const named of ['X-Amz-Target', 'close, x-amz-target', ' Host ,close', 'keep-alive, Content-Type', 'close,\tAuthorization'])
      await isRefused(`Connection: ${named}`, plain(`Connection: ${named}`));
    await isRefused('twice', plain('Connection: close', 'Connection: X-Amz-Target'));
  });

  it('ED-07 names of parts of every object are names like others', async () => {
    await passes(plain('__proto__: x', 'constructor: x', 'toString: x'));
    const body = '{"__proto__":{"TableName":"orders","x":1},"constructor":{"prototype":{"x":1}},"TableName":"nothing-here"}';
    const asked = request([host(), type, target('DynamoDB_20120810.DescribeTable'), `Content-Length: ${body.length}`], body);
    for (const { text } of await both(asked)) expect(text).toMatch(/^HTTP\/1\.1 400 [\s\S]*(ResourceNotFound|Validation|Serialization)/);
    await passes(plain());
  });

  it('ED-21 URLs that break parsers', async () => {
    for (const url of ['http://[::', '//[::/', '/%', '/\xed\xa0\x80', `/${'@'.repeat(10_000)}`, '/?', '/\\', '*', 'a:b'])
      await isRefused(url.slice(0, 20), Buffer.from(plain().toString('latin1').replace('POST / ', `POST ${url} `), 'latin1'));
    await isRefused(
      '1e5 @',
      Buffer.from(
        plain()
          .toString('latin1')
          .replace('POST / ', `POST /${'@'.repeat(100_000)} `),
        'latin1',
      ),
    );
  });

  it('AG-01 a host that fools others is no Host here, and changes nothing as X-Forwarded-Host', async () => {
    for (const hostile of hostileHosts) {
      const bytes = Buffer.from(hostile);
      const lines = ['POST / HTTP/1.1', `Host: ${bytes.toString('latin1')}`, type, target(), 'Content-Length: 2', '', '{}'];
      await isRefused(`Host: ${hostile}`, Buffer.from(lines.join('\r\n'), 'latin1'));
    }
    for (const hostile of hostileHosts.slice(0, 3)) {
      for (const headers of await passes(plain(`X-Forwarded-Host: ${hostile}`)))
        expect(headers).toMatchObject({ host: 'dynamodb.us-east-1.amazonaws.com' });
    }
    expect(new Set(company.seen().map(({ host: at }) => at))).toEqual(new Set(['dynamodb.us-east-1.amazonaws.com']));
  });

  it('AG-03 AWS gets one Authorization, made here, and no credential of the client', async () => {
    const claimed = 'AWS4-HMAC-SHA256 Credential=AKIACLIENT/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=00';
    const sent = [`Authorization: ${claimed}`, 'X-Amz-Security-Token: client-token', 'X-Amz-Date: 20200101T000000Z'];
    await passes(plain(...sent, 'Cookie: a=client-cookie', 'Proxy-Authorization: Basic client-proxy'));
    for (const { headers, verified, identity } of company.seen().slice(-2)) {
      expect(headers.filter(([name]) => name.toLowerCase() === 'authorization')).toHaveLength(1);
      expect(JSON.stringify(headers)).not.toMatch(/AKIACLIENT|client-token|client-cookie|client-proxy|20200101T/);
      expect({ verified, arn: identity?.arn }).toEqual({ verified: true, arn: expect.stringMatching(/\/alice$/) as unknown });
    }
    await isRefused('two Authorization', plain('Authorization: a', 'Authorization: b'));
  });

  it('AG-05 two targets, and targets that another reader would trim', async () => {
    const lines = [host(), type, 'Content-Length: 2'];
    await isRefused('two', request([...lines, target(), target('DynamoDB_20120810.DeleteTable')]));
    await isRefused('two, other case', request([...lines, target(), 'x-amz-target: DynamoDB_20120810.DeleteTable']));
    const before = company.seen().length;
    for (const odd of [`${LIST}, DynamoDB_20120810.DeleteTable`, LIST.toLowerCase(), `${LIST}\xa0`, `${LIST};`, `a ${LIST}`])
      for (const { text } of await both(request([...lines, `X-Amz-Target: ${odd}`]))) expect([odd, statusOf(text)]).toEqual([odd, 400]);
    expect(company.seen()).toHaveLength(before);
    // Blanks around a value are no part of it: it is the operation, here and at AWS, and in the log.
    await passes(request([...lines, `X-Amz-Target:  \t${LIST}  `]));
    expect(company.seen().at(-1)?.operation).toBe('ListTables');
  });

  it('AG-07 a target of another service, of no operation, or of ten kilobytes', async () => {
    const before = company.seen().length;
    for (const name of [
      'Kinesis_20131202.PutRecord',
      'dynamodbX.Delete',
      'DynamoDB_20120810.',
      'DynamoDB_20120810',
      'DynamoDB_20120810.Nothing',
      'DynamoDB_20111205.ListTables',
      'DynamoDB_20120810.__proto__',
      'DynamoDBStreams_20120810.PutItem',
      '',
      'x'.repeat(10_000),
    ])
      for (const { text } of await both(request([host(), type, `X-Amz-Target: ${name}`, 'Content-Length: 2'])))
        expect([name.slice(0, 40), statusOf(text)]).toEqual([name.slice(0, 40), 400]);
    expect(company.seen()).toHaveLength(before);
  });

  it('AG-08 another path, a query, a presigned URL, another method, an upgrade, an expectation', async () => {
    const changed = (from: string, to: string) => Buffer.from(plain().toString().replace(from, to));
    for (const path of ['/x', '/?', '/?X-Amz-Signature=0', '/?X-Amz-Security-Token=0', '//', '/%2f', '/./', '/#x'])
      await isRefused(path, changed('POST / ', `POST ${path} `));
    for (const method of ['GET', 'PUT', 'HEAD', 'OPTIONS', 'TRACE', 'DELETE', 'PATCH', 'QUERY'])
      await isRefused(method, changed('POST / ', `${method} / `), /^4\d\d$/);
    await isRefused('CONNECT', changed('POST / ', 'CONNECT localhost:22 '));
    await isRefused('an upgrade', plain('Upgrade: h2c', 'Connection: Upgrade, HTTP2-Settings'));
    await isRefused('a websocket', plain('Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Key: x'));
    await isRefused('an expectation', plain('Expect: 200-ok'));
    await isRefused('HTTP/2.0', changed('HTTP/1.1', 'HTTP/2.0'));
    await isRefused('form data', changed('application/x-amz-json-1.0', 'application/x-www-form-urlencoded'));
    await isRefused('an encoded body', plain('Content-Encoding: gzip'));
  });

  it('AG-09 a body over 16 MB is refused whole, said beforehand or not', async () => {
    const before = company.seen().length;
    const tooMany = 17 * 1024 * 1024;
    const lines = [host(), type, target('DynamoDB_20120810.PutItem')];
    const said = request([...lines, `Content-Length: ${tooMany}`], '{');
    const piece = `${(64 * 1024).toString(16)}\r\n${' '.repeat(64 * 1024)}\r\n`;
    const unsaid = Buffer.concat([request([...lines, 'Transfer-Encoding: chunked'], ''), Buffer.from(piece.repeat(tooMany / 65_536))]);
    for (const bytes of [said, unsaid])
      for (const { text } of await both(bytes)) expect(text).toMatch(/^HTTP\/1\.1 413 [\s\S]*over the limit/);
    expect(company.seen()).toHaveLength(before);
  });

  it('AG-12 a request signed for another region or service is one for this database all the same', async () => {
    const scope = (region: string, service: string) =>
      `Authorization: AWS4-HMAC-SHA256 Credential=A/20260101/${region}/${service}/aws4_request, SignedHeaders=host, Signature=00`;
    for (const headers of [...(await passes(plain(scope('eu-west-1', 'dynamodb')))), ...(await passes(plain(scope('us-east-1', 'iam'))))])
      expect(headers).toMatchObject({
        host: 'dynamodb.us-east-1.amazonaws.com',
        authorization: expect.stringContaining('/us-east-1/dynamodb/aws4_request') as unknown,
      });
    const body = '{"TableName":"arn:aws:dynamodb:eu-west-1:123456789012:table/orders"}';
    const before = company.seen().length;
    for (const { text } of await both(
      request([host(), type, target('DynamoDB_20120810.DescribeTable'), `Content-Length: ${body.length}`], body),
    ))
      expect([statusOf(text), /AccessDenied|Validation/.test(text)]).toEqual([400, true]);
    expect(company.seen()).toHaveLength(before);
  });

  it('nothing that stood behind a refused request was taken for one', async () => {
    const log = await until('the refusals in the log', 15_000, async () => {
      const text = await cluster.admin('tctl audit ls -f json --limit 100000');
      return text.includes('stands twice') ? text : undefined;
    });
    const lines = JSON.parse(log) as Record<string, unknown>[];
    const taken = [...log.matchAll(/"smuggled-(\d+)"/g)].map(([, at]) => attempts[Number(at)]);
    expect(taken).toEqual([]);
    expect(log).not.toMatch(/"path": ?"\/smug/);
    for (const line of lines.filter(({ phase }) => phase === 'intent'))
      expect(['ListTables', 'DescribeTable']).toContain(line['operation']);
  });
});
