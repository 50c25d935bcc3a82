import { connect as connectTls } from 'node:tls';
import { Cluster } from '@postern/test-harness/cluster.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answersIn, type Exchanged, exchanged, statusOf } from '../requests/wire.ts';

const cannot = lacking('openssl');
const PING = '/webapi/ping';

describe.skipIf(cannot !== undefined)('the web server', () => {
  const cluster = new Cluster();
  const host = () => `Host: localhost:${cluster.proxyPort}`;
  const behind = () => `GET /smuggled HTTP/1.1\r\n${host()}\r\n\r\n`;
  const send = (text: string, servername = 'localhost'): Promise<Exchanged> => {
    const socket = connectTls({ host: '127.0.0.1', port: cluster.proxyPort, servername, rejectUnauthorized: false });
    socket.write(Buffer.from(text, 'latin1'));
    return exchanged(socket);
  };
  const request = (lines: readonly string[], given: { readonly start?: string; readonly body?: string } = {}) =>
    [given.start ?? `GET ${PING} HTTP/1.1`, ...lines, '', given.body ?? ''].join('\r\n');
  async function isRefused(what: string, text: string): Promise<void> {
    const { text: answer, isClosed } = await send(text + behind());
    expect({ what, status: Math.floor(statusOf(answer) / 100), answers: answersIn(answer), isClosed }).toEqual({
      what,
      status: 4,
      answers: 1,
      isClosed: true,
    });
  }

  beforeAll(() => cluster.start());
  afterAll(() => cluster.stop());

  it('answers the honest request, so that the refusals below mean something', async () => {
    expect((await send(request([host()]))).text).toMatch(/^HTTP\/1\.1 200 [\s\S]*"cluster_name":"example\.internal"/);
  });

  it('ED-01 ED-02 takes no body that has two ends', async () => {
    const start = `POST ${PING} HTTP/1.1`;
    for (const lines of [
      ['Content-Length: 4', 'Transfer-Encoding: chunked'],
      ['Transfer-Encoding: chunked', 'Content-Length: 4'],
      ['Content-Length: 4', 'Content-Length: 4'],
      ['Content-Length: 4', 'Content-Length: 5'],
      ['Content-Length : 4'],
      ['Content-Length: +4'],
      ['Transfer-Encoding: xchunked'],
      ['Transfer-Encoding: chunked, identity'],
      ['X-Folded: a', ' b'],
      ['X-Nul: a\0b'],
      ['X-Return: a\rb'],
    ])
      await isRefused(lines.join(' | '), request([host(), ...lines], { start, body: '0\r\n\r\n' }));
    await isRefused('bare line feeds', request([host()]).replaceAll('\r\n', '\n'));
    await isRefused(
      'HTTP/1.0 with chunks',
      request([host(), 'Transfer-Encoding: chunked'], { start: `POST ${PING} HTTP/1.0`, body: '0\r\n\r\n' }),
    );
  });

  it('ED-03 has one Host and no URL of another', async () => {
    await isRefused('two', request([host(), 'Host: other.example']));
    await isRefused('none', request([]));
    await isRefused('a URL', request([host()], { start: 'GET http://other.example/ HTTP/1.1' }));
  });

  it('ED-05 ED-14 says its own address, whatever Host, SNI and the hops before it are said to be', async () => {
    const claims = [
      'Host: evil.example',
      'X-Forwarded-Host: evil.example',
      'X-Forwarded-For: 203.0.113.9',
      'Forwarded: host=evil.example',
      'X-HTTP-Method-Override: DELETE',
    ];
    for (const servername of ['localhost', 'evil.example', 'proxy.example']) {
      const { text } = await send(request(claims), servername);
      expect(text).toMatch(/^HTTP\/1\.1 (200|421) /);
      expect(text).not.toMatch(/evil|203\.0\.113/);
      expect(text).toContain(`localhost:${cluster.proxyPort}`);
    }
  });

  it('ED-07 ED-18 ED-21 knows its own paths by one spelling, and outlives the others', async () => {
    for (const path of [
      `${PING}/../users`,
      `/webapi/%2e%2e${PING}`,
      '/webapi%2fping',
      `${PING};x`,
      `/${PING}`,
      PING.toUpperCase(),
      `${PING}.`,
      `${PING}/`,
      `${PING}%23`,
      '/__proto__',
      '/constructor',
      '/%',
      '/%c0%af',
    ])
      expect([path, statusOf((await send(request([host()], { start: `GET ${path} HTTP/1.1` }))).text)]).toEqual([
        path,
        expect.toSatisfy((status: number) => status === 400 || status === 404),
      ]);
    for (const url of ['http://[::', '//[::/', '/\xed\xa0\x80', '*', 'a:b', `/${'@'.repeat(10_000)}`])
      expect([
        url.slice(0, 20),
        Math.floor(statusOf((await send(request([host()], { start: `GET ${url} HTTP/1.1` }))).text) / 100),
      ]).toEqual([url.slice(0, 20), 4]);
    // It may be told why, or be cut off while it still sends.
    expect((await send(request([host()], { start: `GET /${'@'.repeat(100_000)} HTTP/1.1` }))).text).toMatch(/^(HTTP\/1\.1 4\d\d |$)/);
    const odd = request([host(), '__proto__: x', 'constructor: y'], {
      start: `GET ${PING}?__proto__[x]=1&constructor[prototype][x]=1 HTTP/1.1`,
    });
    expect((await send(odd)).text).toMatch(/^HTTP\/1\.1 200 /);
    for (const body of ['{"__proto__":{"x":1}}', '{"constructor":{"prototype":{"x":1}}}']) {
      const lines = [host(), 'Content-Type: application/json', `Content-Length: ${body.length}`];
      expect(statusOf((await send(request(lines, { start: `POST ${PING} HTTP/1.1`, body }))).text)).toBe(400);
    }
    expect((await send(request([host()]))).text).toMatch(/^HTTP\/1\.1 200 /);
  });
});
