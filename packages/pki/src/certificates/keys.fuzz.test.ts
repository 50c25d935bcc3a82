import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { generateKey, readPublicKey } from '#certificates/keys.ts';
import { PkiError } from '#pki-error.ts';
import { cases, mutated } from '#testing/mutated.ts';
import { Watch } from '#testing/watch.ts';

const spki = (key: KeyObject) => key.export({ type: 'spki', format: 'der' });
const good = generateKey().publicKeyDer;
const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const P256 = '3059 3013 0607 2a8648ce3d0201 0608 2a8648ce3d030107 0342 00';
const G =
  '6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296 4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5';

/** Undefined where it is refused with the one error that is declared. */
function read(der: Buffer, watch = new Watch()): KeyObject | undefined {
  try {
    return watch.time(() => readPublicKey(der));
  } catch (error) {
    if (error instanceof PkiError && error.reason === 'bad_key') return undefined;
    throw error;
  }
}

describe('a public key that somebody sends', () => {
  it.each([
    ['the generator of P-256', hex(`${P256} 04 ${G}`), true],
    ['nothing', Buffer.alloc(0), false],
    ['a point that is not on the curve', hex(`${P256} 04 ${G.replace(/5$/, '4')}`), false],
    ['the point at infinity', hex(`${P256} 04 ${'00'.repeat(64)}`), false],
    ['coordinates past the field', hex(`${P256} 04 ${'ff'.repeat(64)}`), false],
    ['a hybrid point', hex(`${P256} 07 ${G.replaceAll(' ', '')}`), false],
    ['a compressed point', hex(`3039 3013 0607 2a8648ce3d0201 0608 2a8648ce3d030107 0322 00 03 ${G.split(' ')[0]}`), false],
    ['a byte behind it', Buffer.concat([good, Buffer.from([0])]), false],
    ['a length in its long form', Buffer.concat([hex('308159'), good.subarray(2)]), false],
    ['P-384', spki(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey), false],
    ['secp256k1, as long as P-256', spki(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey), false],
    ['Ed25519', spki(generateKeyPairSync('ed25519').publicKey), false],
    ['RSA of 1024 bits', spki(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey), false],
    [
      'a curve whose parameters it brings itself',
      spki(generateKeyPairSync('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' }).publicKey),
      false,
    ],
    ['a mebibyte', Buffer.alloc(1024 * 1024, good), false],
    ['PEM instead of DER', Buffer.from('-----BEGIN PUBLIC KEY-----\n'), false],
  ])('as %s is taken or refused as it always was', (_what, der, taken) => {
    expect(read(der) !== undefined).toBe(taken);
  });

  it('CA-11 is taken only where OpenSSL reads P-256 in it and writes the same bytes again, whatever becomes of its fields', () => {
    const watch = new Watch();
    const seen = new Set<boolean>();
    const fields = [
      [0, 2],
      [2, 4],
      [4, 13],
      [13, 23],
      [23, 26],
      [26, 27],
      [27, 59],
      [59, 91],
    ].map(([from, end]) => good.subarray(from, end));
    fc.assert(
      fc.property(mutated(fields), (der) => {
        const taken = read(der, watch);
        seen.add(taken !== undefined);
        let known: KeyObject | undefined;
        try {
          known = createPublicKey({ key: der, type: 'spki', format: 'der' });
        } catch {
          // OpenSSL refuses it; so must we.
        }
        const ofCurve = known?.asymmetricKeyType === 'ec' && known.asymmetricKeyDetails?.namedCurve === 'prime256v1';
        // OpenSSL keeps a compressed or hybrid point as it was written; here a key has one form.
        const canonical = known !== undefined && ofCurve && spki(known).equals(der) && der[26] === 4;
        return (taken !== undefined) === canonical;
      }),
      cases(5_000, 200_000),
    );
    expect(seen.size).toBe(2);
    expect(watch.slowestMs).toBeLessThan(100);
  }, 300_000);
});
