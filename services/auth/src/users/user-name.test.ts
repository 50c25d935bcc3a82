import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalUserName, requireUserName } from '#users/user-name.ts';

describe('user names', () => {
  it('are one account however they are typed', () => {
    for (const typed of ['Alice', 'ALICE', ' alice ', 'ａｌｉｃｅ', 'alice\u00a0']) expect(canonicalUserName(typed)).toBe('alice');
    expect(canonicalUserName('Email@Example.com')).toBe('email@example.com');
  });

  it('have a canonical form that is its own canonical form, and only that one may be created', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), (typed) => {
        const canonical = canonicalUserName(typed);
        expect(canonicalUserName(canonical)).toBe(canonical);
        if (canonical !== typed) expect(() => requireUserName(typed)).toThrow(/write it as/);
      }),
    );
  });

  it('hold nothing that a key, a shell or a terminal reads otherwise', () => {
    for (const bad of ['', 'a/b', 'a b', 'a\nb', '-alice', '../x', 'a\u202eb', 'a'.repeat(200)])
      expect(() => requireUserName(bad)).toThrow();
    for (const good of ['alice', 'email@example.com', 'svc_build-1.x', '爱丽丝']) expect(requireUserName(good)).toBe(good);
  });
});
