import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Authorization, parseAuthorization } from '#sigv4/verify/authorization-header.ts';

const long = process.env['POSTERN_TESTS'] === 'long';
const signature = 'fe5f80f77d5fa3beca038a248ff027d0445342fe2855ddc963176630326f1024';
const credential = 'AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request';
const whole = `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=content-type;host;x-amz-date, Signature=${signature}`;

/** The grammar of AWS's documentation, read by cutting alone: scheme, parts, scope. Says what each part is, and whether it is one. */
function plainly(text: string): Authorization | undefined {
  const [scheme, ...rest] = text.split(/[ \t]+/);
  if (scheme !== 'AWS4-HMAC-SHA256') return undefined;
  const parts = text
    .slice(scheme.length)
    .split(',')
    .map((part) => part.replace(/^[ \t]+/, '').replace(/[ \t]+$/, ''));
  if (rest.length === 0 || parts.length !== 3) return undefined;
  const valueOf = (name: string) => {
    const found = parts.filter((part) => part.startsWith(`${name}=`));
    return found.length === 1 ? found[0]?.slice(name.length + 1) : undefined;
  };
  const [scope, signed, hex] = [valueOf('Credential'), valueOf('SignedHeaders'), valueOf('Signature')];
  if (scope === undefined || signed === undefined || hex === undefined) return undefined;
  const [accessKeyId = '', day = '', region = '', service = '', end, ...more] = scope.split('/');
  const signedHeaders = signed.split(';');
  const isOrdered = signedHeaders.every((name, i) => name !== '' && (i === 0 || (signedHeaders[i - 1] ?? '') < name));
  const isWhole = end === 'aws4_request' && more.length === 0 && day.length === 8 && hex.length === 64 && isOrdered;
  const isPlain = !/[^\w.-]/.test(accessKeyId + region + service) && !/[^0-9]/.test(day) && !/[^0-9a-f]/.test(hex);
  const isNamed = [accessKeyId, region, service].every((text) => text !== '') && !/[.]/.test(accessKeyId + region);
  if (!isWhole || !isPlain || !isNamed || /[^!#$%&'*+.^_`|~0-9a-z;-]/.test(signed)) return undefined;
  return { algorithm: 'AWS4-HMAC-SHA256', accessKeyId, day, region, service, signedHeaders, signature: hex };
}

const letters = fc.constantFrom(...Array.from('AZaz09-_./;,= \t%*\0\u212a\u00e9'));
type Change = (pieces: readonly string[]) => readonly string[];
const at = fc.nat(40);
const index = (pieces: readonly string[], n: number) => (pieces.length === 0 ? 0 : n % pieces.length);
const change: fc.Arbitrary<Change> = fc.oneof(
  at.map(
    (n): Change =>
      (pieces) =>
        pieces.toSpliced(index(pieces, n), 1),
  ),
  at.map(
    (n): Change =>
      (pieces) =>
        pieces.toSpliced(index(pieces, n), 0, pieces[index(pieces, n)] ?? ''),
  ),
  fc.tuple(at, at).map(
    ([n, m]): Change =>
      (pieces) => {
        const [one, two] = [index(pieces, n), index(pieces, m)];
        return pieces.length === 0 ? pieces : pieces.with(one, pieces[two] ?? '').with(two, pieces[one] ?? '');
      },
  ),
  fc.tuple(at, letters).map(
    ([n, letter]): Change =>
      (pieces) =>
        pieces.toSpliced(index(pieces, n), 0, letter),
  ),
  fc.tuple(at, fc.nat(63)).map(
    ([n, length]): Change =>
      (pieces) =>
        pieces.length === 0 ? pieces : pieces.with(index(pieces, n), (pieces[index(pieces, n)] ?? '').slice(0, length)),
  ),
  fc.tuple(at, fc.constantFrom('toUpperCase' as const, 'toLowerCase' as const)).map(
    ([n, how]): Change =>
      (pieces) =>
        pieces.length === 0 ? pieces : pieces.with(index(pieces, n), (pieces[index(pieces, n)] ?? '')[how]()),
  ),
);
/** Words and the signs between them, each a piece. */
const pieces = whole.split(/([ ,;=/])/).filter((piece) => piece !== '');
const changed = fc
  .array(change, { maxLength: 3 })
  .map((changes) => changes.reduce<readonly string[]>((now, make) => make(now), pieces).join(''));

describe('an Authorization header of SigV4', () => {
  it.each([
    ['as AWS documents it', whole, true],
    ['without blanks behind commas', whole.replaceAll(', ', ','), true],
    ['with tabs', whole.replaceAll(' ', '\t'), true],
    ['with its parts in another order', `AWS4-HMAC-SHA256 Signature=${signature},SignedHeaders=host,Credential=${credential}`, true],
    ['with the scheme in lower case', whole.toLowerCase(), false],
    ['with nothing behind the scheme', 'AWS4-HMAC-SHA256', false],
    ['with a comma at its end', `${whole},`, false],
    ['with an unknown part', `${whole}, Extra=1`, false],
    ['with two credentials', `${whole}, Credential=${credential}`, false],
    ['with an equals sign doubled', whole.replace('Credential=', 'Credential=='), false],
    ['with a scope of six parts', whole.replace('/iam/', '/iam/x/'), false],
    ['with a scope of four parts', whole.replace('/iam/', '/'), false],
    ['with a region that climbs', whole.replace('us-east-1', '..'), false],
    ['with a day of nine digits', whole.replace('20150830', '201508300'), false],
    ['with no signed header', whole.replace('content-type;host;x-amz-date', ''), false],
    ['with an empty signed header', whole.replace('content-type;', ';'), false],
    ['with a signed header in capitals', whole.replace('host', 'Host'), false],
    ['with a line end in it', whole.replace(', Signed', ',\r\n Signed'), false],
    ['with a NUL in the key', whole.replace('AKID', 'AK\0ID'), false],
    ['with a hundred thousand commas', `${whole}${','.repeat(100_000)}`, false],
    ['with eight thousand blanks', `AWS4-HMAC-SHA256${' '.repeat(8_000)}x`, false],
    ['for a second algorithm, with the scope of the first', whole.replace('AWS4-HMAC', 'AWS4-ECDSA-P256'), false],
  ])('%s is read or refused as it always was', (_what, text, isRead) => {
    const startedMs = performance.now();
    expect(parseAuthorization(text) !== undefined).toBe(isRead);
    expect(performance.now() - startedMs).toBeLessThan(100);
  });

  it('is read as one who only cuts it reads it, whatever becomes of its words, and at once', () => {
    const seen = new Set<boolean>();
    let slowestMs = 0;
    fc.assert(
      fc.property(changed, (text) => {
        const startedMs = performance.now();
        const read = parseAuthorization(text);
        slowestMs = Math.max(slowestMs, performance.now() - startedMs);
        seen.add(read !== undefined);
        expect(read).toEqual(plainly(text));
      }),
      long ? { numRuns: 300_000, interruptAfterTimeLimit: 20_000 } : { numRuns: 5_000 },
    );
    expect(seen.size).toBe(2);
    expect(slowestMs).toBeLessThan(1000);
  }, 300_000);
});
