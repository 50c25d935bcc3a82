import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maskToken } from '#tokens/token.ts';

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
