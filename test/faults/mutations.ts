import fc from 'fast-check';

interface Edit {
  /** Where, as a share of what there is. */
  readonly at: number;
  readonly take: number;
  readonly put: Uint8Array;
}

/** Bytes that parsers have a meaning for. */
const MEANINGFUL = [
  '\r\n',
  '\n',
  '\0',
  ': ',
  ' ',
  '/',
  '{',
  '}',
  '"',
  '%',
  '0',
  '-1',
  '\r\n\r\n',
  'Transfer-Encoding: chunked\r\n',
  '__proto__',
];
const put = fc.oneof(
  fc.uint8Array({ maxLength: 8 }),
  fc.constantFrom(...MEANINGFUL).map((text) => Buffer.from(text)),
  fc.constant(Buffer.alloc(20_000, 'x')),
);
const edit: fc.Arbitrary<Edit> = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  take: fc.oneof(fc.nat({ max: 4 }), fc.nat({ max: 100 })),
  put,
});

/** Each of a corpus as it is, and after it `count` that are made of it by a few cuts and insertions; the same seed makes the same. */
export function mutationsOf(corpus: readonly Buffer[], { seed, count }: { readonly seed: number; readonly count: number }): Buffer[] {
  const mutated = fc
    .record({ base: fc.constantFrom(...corpus), edits: fc.array(edit, { minLength: 1, maxLength: 5 }) })
    .map(({ base, edits }) => edits.reduce(edited, base));
  return [...corpus, ...fc.sample(mutated, { seed, numRuns: count })];
}

function edited(bytes: Buffer, { at, take, put: added }: Edit): Buffer {
  const from = Math.floor(at * bytes.length);
  return Buffer.concat([bytes.subarray(0, from), added, bytes.subarray(from + take)]);
}
