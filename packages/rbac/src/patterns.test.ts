import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { BoundedCache } from '#bounded-cache.ts';
import { type Role, compileSubject, decide } from '#index.ts';
import { compileGlob, globParts, quoteForPattern } from '#patterns.ts';
import { RE2JS } from 're2js';

describe('patterns that bring V8 to a stop', () => {
  const hostile = ['^(a+)+$', '^(x+x+)+y$', '^(a|aa)+$', '^([a-z]+)*$', '^(.*)(.*)(.*)(.*)(.*)b$', '^(a*)*(b*)*c$'];

  // The budget is 50 ms a decision, in time of the processor: on a busy machine the clock says nothing.
  it('RB-02 are decided in milliseconds at the longest label there can be', () => {
    for (const pattern of hostile) {
      const role: Role = { name: 'r', version: 'v6', allow: { dbLabels: { env: [pattern] } }, deny: {}, options: {} };
      const subject = compileSubject({ user: 'a', roles: [role], traits: {} });
      for (const letter of ['a', 'x']) {
        const labels = { env: `${letter.repeat(1023)}!` };
        decide(subject, { kind: 'db', name: 'n', labels });
        const start = process.cpuUsage();
        decide(subject, { kind: 'db', name: 'n', labels });
        expect(process.cpuUsage(start).user / 1000).toBeLessThan(50);
      }
    }
  });

  it('RB-02 of a hundred roles are compiled once, and decided together in one bounded time', () => {
    const roles = Array.from(
      { length: 100 },
      (_, index): Role => ({ name: `r${index}`, version: 'v6', allow: { dbLabels: { env: [`^(a+)+x${index}$`] } }, deny: {}, options: {} }),
    );
    const subject = compileSubject({ user: 'a', roles, traits: {} });
    const request = { kind: 'db', name: 'n', labels: { env: 'a'.repeat(256) } } as const;
    decide(subject, request);
    const start = process.cpuUsage();
    for (let round = 0; round < 10; round += 1) decide(subject, request);
    expect(process.cpuUsage(start).user / 1000 / 10).toBeLessThan(50);
  });
});

describe('a glob', () => {
  it('matches what the same pattern written as a regular expression matches', () => {
    const letters = fc.array(fc.constantFrom('a', 'b', '*', '.', '\n', 'é'), { maxLength: 8 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(letters, letters, (glob, text) => {
        const source = glob
          .split('*')
          .map((literal) => literal.replace(/[.\\]/gu, '\\$&'))
          .join('[^]*');
        expect(compileGlob(globParts(glob))(text)).toBe(new RegExp(`^${source}$`, 'u').test(text));
      }),
      { numRuns: 5000 },
    );
  });
});

describe('a quoted text', () => {
  it('matches itself and nothing else, in a pattern and in a class of characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }), fc.string({ maxLength: 5 }), (text, other) => {
        const program = RE2JS.compile(`^${quoteForPattern(text)}$`);
        expect(program.test(text)).toBe(true);
        if (other !== text) expect(program.test(other)).toBe(false);
        if (!text.includes('-')) expect(RE2JS.compile(`^[${quoteForPattern(text)}]$`).test('-')).toBe(false);
      }),
    );
  });
});

describe('the cache', () => {
  it('forgets what was used longest ago', () => {
    const cache = new BoundedCache<number>(2);
    cache.getOrMake('a', () => 1);
    cache.getOrMake('b', () => 2);
    cache.getOrMake('a', () => 9);
    cache.getOrMake('c', () => 3);
    expect(cache.size).toBe(2);
    expect(cache.getOrMake('a', () => 9)).toBe(1);
    expect(cache.getOrMake('b', () => 8)).toBe(8);
  });
});
