import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { refusalOf } from '#local-port/local-guard.ts';
import { parseRequestHead } from '#local-port/request-head.ts';

const PORT = 8000;
const guard = { port: PORT, allowAddresses: false };
const head = (lines: readonly string[], first = 'POST / HTTP/1.1') => [first, ...lines].join('\r\n');

describe('the guard of the local port', () => {
  it.each(['localhost:8000', '127.0.0.1:8000', '[::1]:8000', 'LocalHost:8000'])('lets a program pass that calls us %s', (host) => {
    expect(refusalOf(head([`Host: ${host}`, 'X-Amz-Target: DynamoDB_20120810.ListTables']), guard)).toBeUndefined();
  });

  it.each([
    'evil.example:8000',
    '0.0.0.0:8000',
    'localhost.evil.example:8000',
    'localhost:8001',
    'localhost',
    'localhost:08000',
    'localhost:8000:8000',
    'localhost.:8000',
    '127.0.0.2:8000',
    '127.1:8000',
    '[::ffff:127.0.0.1]:8000',
    'user@localhost:8000',
    '',
    '192.168.1.5:8000',
  ])('refuses Host: %s', (host) => {
    expect(refusalOf(head([`Host: ${host}`]), guard)).toMatch(/Host/);
  });

  it('refuses no Host, and two of them even where both are ours', () => {
    expect(refusalOf(head([]), guard)).toMatch(/exactly one Host/);
    expect(refusalOf(head(['Host: localhost:8000', 'host: localhost:8000']), guard)).toMatch(/exactly one Host/);
  });

  it('refuses whatever a web page cannot help sending, and passes what a tool may send', () => {
    const host = 'Host: localhost:8000';
    for (const origin of ['https://evil.example', 'null', 'http://localhost:8000', '']) {
      expect(refusalOf(head([host, `Origin: ${origin}`]), guard)).toMatch(/Origin/);
    }
    expect(refusalOf(head([host, 'Sec-Fetch-Site: cross-site']), guard)).toMatch(/web page/);
    expect(refusalOf(head([host, 'Sec-Fetch-Site: none', 'Sec-Fetch-Site: same-site']), guard)).toMatch(/web page/);
    expect(refusalOf(head([host, 'Sec-Fetch-Site: none']), guard)).toBeUndefined();
    expect(refusalOf(head([host, 'Sec-Fetch-Site: same-origin']), guard)).toBeUndefined();
  });

  it('is no web proxy: an absolute URL is refused whatever the Host says', () => {
    expect(refusalOf(head(['Host: localhost:8000'], 'GET http://169.254.169.254/ HTTP/1.1'), guard)).toMatch(/absolute URL/);
    expect(refusalOf(head(['Host: localhost:8000'], 'CONNECT dynamodb.us-east-1.amazonaws.com:443 HTTP/1.1'), guard)).toMatch(
      /absolute URL/,
    );
  });

  it.each([
    ['a folded header', ['Host: localhost:8000', 'X: a', ' Origin: b']],
    ['a space before the colon', ['Host : localhost:8000']],
    ['a bare line feed', ['Host: localhost:8000\nOrigin: https://evil.example']],
    ['a header without a colon', ['Host: localhost:8000', 'nonsense']],
  ])('refuses %s rather than guessing how the agent would read it', (_what, lines) => {
    expect(refusalOf(head(lines), guard)).toBe('the request is not HTTP/1.1');
  });

  it('passes a literal address only where the port was opened to other machines, and never a name', () => {
    const open = { port: PORT, allowAddresses: true };
    expect(refusalOf(head(['Host: 192.168.1.5:8000']), open)).toBeUndefined();
    expect(refusalOf(head(['Host: [fe80::1]:8000']), open)).toBeUndefined();
    expect(refusalOf(head(['Host: evil.example:8000']), open)).toMatch(/Host/);
  });

  it('knows that port 80 is not written', () => {
    expect(refusalOf(head(['Host: localhost']), { port: 80, allowAddresses: false })).toBeUndefined();
  });

  it('never passes a head without one of our own names as its only Host', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom('Host', 'host', 'HOST', 'X-Host'), fc.string()), { maxLength: 4 }), (pairs) => {
        const text = head(pairs.map(([name, value]) => `${name}: ${value}`));
        if (refusalOf(text, guard) !== undefined) return;
        const hosts = parseRequestHead(text)?.headers.get('host');
        expect(hosts).toHaveLength(1);
        expect(['localhost:8000', '127.0.0.1:8000', '[::1]:8000']).toContain(hosts?.[0]?.toLowerCase());
      }),
    );
  });
});
