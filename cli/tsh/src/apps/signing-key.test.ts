import { describe, expect, it } from 'vitest';
import { newLocalKey } from '#apps/local-key.ts';
import { signingKey } from '#apps/signing-key.ts';

const key = newLocalKey();
const of = (TELEPORT_AWS_ACCESS_KEY_ID?: string, TELEPORT_AWS_SECRET_ACCESS_KEY?: string) =>
  signingKey({ TELEPORT_AWS_ACCESS_KEY_ID, TELEPORT_AWS_SECRET_ACCESS_KEY }, key);
const UUID = '0e7a4d5e-9f0e-4a55-9a54-9f3f6d1c2b3a';

describe('the key that programs sign with', () => {
  it('is the login’s, or the one of the environment, in Teleport’s shape too', () => {
    expect(of()).toEqual(key);
    expect(of('', '')).toEqual(key);
    expect(of(UUID, UUID)).toEqual({ accessKeyId: UUID, secretAccessKey: UUID });
  });

  it.each([
    ['an id without a secret', UUID, undefined, /SECRET_ACCESS_KEY/],
    ['a secret without an id', undefined, UUID, /ACCESS_KEY_ID/],
    ['an id that is too short to be none of anybody’s', 'short', UUID, /16 to 128/],
    ['an id with a colon', 'AKIA:AAAAAAAAAAAAAAAA', UUID, /ACCESS_KEY_ID/],
    ['a secret with a line break', UUID, `${UUID}\n`, /SECRET_ACCESS_KEY/],
  ])('is refused for %s, and not shown', (_what, id, secret, words) => {
    expect(() => of(id, secret)).toThrow(words);
    expect(() => of(id, secret)).not.toThrow(new RegExp(UUID));
  });
});
