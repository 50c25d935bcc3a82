import { describe, expect, it } from 'vitest';
import { ageOf } from '#testing/botocore-version.ts';

describe('a botocore beside the one that a table was compared with', () => {
  it.each([
    ['1.44.8\n', '1.44.8', 'same'],
    ['1.44.10', '1.44.8', 'later'],
    ['1.45.0', '1.44.8', 'later'],
    ['2.0.0', '1.44.8', 'later'],
    ['1.44.7', '1.44.8', 'older'],
    ['1.43.11', '1.44.8', 'older'],
    ['1.44.8', '1.43.11', 'later'],
    ['1.9.200', '1.43.11', 'older'],
  ])('%j beside %s is %s', (version, comparedWith, age) => expect(ageOf(version, comparedWith)).toBe(age));
});
