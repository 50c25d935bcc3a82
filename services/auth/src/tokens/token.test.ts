import fc from 'fast-check';
import { limits } from '@postern/limits';
import { describe, expect, it } from 'vitest';
import { requireTokenValue } from '#tokens/add-token.ts';
import { maskToken } from '#tokens/token.ts';

describe('a token that an administrator chose', () => {
  it('has 128 bits at the least, by the characters it is made of [limit tokenBits]', () => {
    for (const enough of ['0'.repeat(limits.tokenBits / 4), 'aB3'.repeat(7) + 'x', 'a-static-token-of-the-file'])
      expect(requireTokenValue(enough)).toBe(enough);
    for (const few of ['0'.repeat(limits.tokenBits / 4 - 1), 'aB3'.repeat(7), 'a', '', ` ${'f'.repeat(40)}`, 'f'.repeat(257)])
      expect(() => requireTokenValue(few)).toThrow('at least 128 bits');
  });
});

describe('a masked token', () => {
  it('shows nothing of a short one and a quarter of a long one', () => {
    expect(maskToken('short')).toBe('*****');
    expect(maskToken('0123456789abcdef')).toBe('************cdef');
    fc.assert(
      fc.property(fc.string({ maxLength: 100 }), (token) => {
        const masked = maskToken(token);
        expect(masked).toHaveLength(token.length);
        expect(masked.length - masked.replace(/^\*+/, '').length).toBeGreaterThanOrEqual(Math.floor(token.length * 0.75));
      }),
    );
  });
});
