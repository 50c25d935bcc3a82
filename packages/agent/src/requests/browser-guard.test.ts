import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { browserRefusal } from '#requests/browser-guard.ts';
import { readHead } from '#requests/request-head.ts';

const refusal = (headers: readonly string[], port: number | undefined = 8000) => browserRefusal(readHead(headers), port);

describe('the browser guard', () => {
  it.each(['localhost:8000', '127.0.0.1:8000', '[::1]:8000', 'LOCALHOST:8000'])('lets %s pass', (host) => {
    expect(refusal(['Host', host])).toBeUndefined();
  });

  it.each([
    'evil.example:8000',
    '0.0.0.0:8000',
    'localhost.evil:8000',
    'localhost:8001',
    'localhost',
    'localhost:8000:8000',
    'localhost:08000',
    'user@localhost:8000',
    '127.0.0.1.:8000',
    '[::ffff:127.0.0.1]:8000',
    '',
  ])('refuses the rebound or foreign name %s', (host) => {
    expect(refusal(['Host', host])).toMatch(/Host/);
  });

  it('refuses a request without Host, and one whose port tsh did not tell', () => {
    expect(refusal([])).toMatch(/no Host/);
    expect(browserRefusal(readHead(['Host', 'localhost:8000']), undefined)).toMatch(/update tsh/);
  });

  it('refuses an Origin, even its own, and a fetch from another site', () => {
    expect(refusal(['Host', 'localhost:8000', 'Origin', 'https://evil.example'])).toMatch(/Origin/);
    expect(refusal(['Host', 'localhost:8000', 'origin', 'null'])).toMatch(/Origin/);
    expect(refusal(['Host', 'localhost:8000', 'Sec-Fetch-Site', 'cross-site'])).toMatch(/another site/);
    expect(refusal(['Host', 'localhost:8000', 'Sec-Fetch-Site', 'none'])).toBeUndefined();
    expect(refusal(['Host', 'localhost:8000', 'Sec-Fetch-Site', 'same-origin'])).toBeUndefined();
  });

  it('lets nothing pass but the three names with the very port', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 65_535 }), (host, port) => {
        const passes = refusal(['Host', host], port) === undefined;
        const names = ['localhost', '127.0.0.1', '[::1]'];
        const right = names.some((name) => host.toLowerCase() === `${name}:${port}` || (port === 80 && host.toLowerCase() === name));
        expect(passes).toBe(right);
      }),
    );
  });
});
