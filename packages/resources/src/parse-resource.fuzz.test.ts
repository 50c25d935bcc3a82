import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { parseDocuments, parseResource, type Resource, ResourceError, roleFromResource } from '#index.ts';

const long = process.env['POSTERN_TESTS'] === 'long';

/** What is read, or what is said; any other error fails the test. */
function read(text: string): readonly Resource[] | string {
  try {
    const resources = parseDocuments(text, { file: 'role.yaml' }).map(({ resource }) => resource);
    for (const resource of resources) if (resource.kind === 'role') roleFromResource(resource);
    return resources;
  } catch (error) {
    if (error instanceof ResourceError) return error.message;
    throw error;
  }
}

const lines = [
  'kind: role',
  'version: v6',
  'metadata:',
  '  name: dev',
  '  labels: { team: shop }',
  'spec:',
  '  options:',
  '    max_session_ttl: 8h',
  '  allow:',
  '    db_labels:',
  "      env: ['dev', 'staging']",
  "      '*': '*'",
  '    db_users: [Reader, "{{external.roles}}"]',
  '    rules:',
  '      - resources: [user]',
  '        verbs: [read, list]',
  '  deny:',
  '    db_labels:',
  "      env: '^prod.*$'",
];
/** What YAML and its readers are known to stumble over, at the end of a line or as a line. */
const oddities = fc.constantFrom(
  '&a',
  '*a',
  '<<: *a',
  '!!js/function x',
  '!!binary aGk=',
  '? x',
  '- -',
  '---',
  '...',
  '%YAML 1.1',
  '# x',
  '\t',
  '|',
  '>-',
  '"\\x00"',
  '"\\u2028"',
  "''",

  '~',
  'null',
  'no',
  'yes',
  '0x1f',
  '1e999',
  '.nan',
  '2020-01-01',
  '[',
  ']',
  '{',
  '}',
  '[[',
  '{a: {a: {a: 1}}}',
  ':',
  ': :',
  '__proto__: { a: b }',
  'constructor: x',
  '\ufeff',
  '\u0085',
  '\r',
  '\0',
  '(a+)+$',
  '^(',
  '{{',
  '{{internal.logins}}',
  '{{regexp.replace(external.x, "(", "")}}',
  '*',
);
type Change = (text: readonly string[]) => readonly string[];
const at = fc.nat(40);
const on =
  (n: number, make: (line: string) => readonly string[]): Change =>
  (text) =>
    text.length === 0 ? text : text.toSpliced(n % text.length, 1, ...make(text[n % text.length] ?? ''));
const change: fc.Arbitrary<Change> = fc.oneof(
  at.map((n) => on(n, () => [])),
  at.map((n) => on(n, (line) => [line, line])),
  fc.tuple(at, fc.nat(6)).map(([n, blanks]) => on(n, (line) => [' '.repeat(blanks) + line.trimStart()])),
  fc.tuple(at, oddities).map(([n, odd]) => on(n, (line) => [`${line}${odd}`])),
  fc.tuple(at, oddities).map(([n, odd]) => on(n, (line) => [line.replace(/: .*$/, `: ${odd}`)])),
  fc.tuple(at, oddities).map(([n, odd]) => on(n, (line) => [`${/^ */.exec(line)?.[0] ?? ''}${odd}`, line])),
  fc.tuple(at, fc.nat(30)).map(([n, length]) => on(n, (line) => [line.slice(0, length)])),
  fc
    .tuple(at, fc.nat(30), fc.string({ minLength: 1, maxLength: 1, unit: 'binary' }))
    .map(([n, where, letter]) => on(n, (line) => [line.slice(0, where) + letter + line.slice(where)])),
  fc.tuple(at, at).map(
    ([n, m]): Change =>
      (text) => {
        const [one, two] = text.length === 0 ? [0, 0] : [n % text.length, m % text.length];
        return text.length === 0 ? text : text.with(one, text[two] ?? '').with(two, text[one] ?? '');
      },
  ),
);
const changed = fc
  .array(change, { maxLength: 3 })
  .map((changes) => `${changes.reduce<readonly string[]>((now, make) => make(now), lines).join('\n')}\n`);
const whole = lines.join('\n');

describe('the YAML of a role', () => {
  it.each([
    ['as it should be', whole, 'accepted'],
    ['that ends in the middle of a list', whole.slice(0, whole.indexOf("'staging'")), 'refused'],
    ['with an anchor and an alias', whole.replace('[user]', '&a [user]').replace('[read, list]', '*a'), 'refused'],
    ['with a merge key', whole.replace('    db_users', '    <<: {}\n    db_users'), 'refused'],
    ['with a tag of another language', whole.replace('shop', '!!js/function "x"'), 'refused'],
    ['with a name given twice', whole.replace('  deny:', '  allow: {}\n  deny:'), 'refused'],
    ['with no as a label', whole.replace('shop', 'no'), 'accepted'],
    ['with a number as a label', whole.replace('shop', '12'), 'refused'],
    // Account numbers begin with zeros, and stay the text that they are.
    ['with digits that are no number', whole.replace('shop', '012'), 'accepted'],
    ['with a date as a label', whole.replace('shop', '2020-01-01'), 'accepted'],
    ['with deny left empty', whole.replace(/ {2}deny:[^]*$/, '  deny:\n'), 'accepted'],
    ['with a field of a misspelt deny', whole.replace(/(deny:\n) {4}db_labels/, '$1    db_lables'), 'refused'],
    ['with an open expression', whole.replace('^prod.*$', '^(prod$'), 'refused'],
    ['with an open template', whole.replace('{{external.roles}}', '{{external.roles'), 'refused'],
    ['with another encoding before it', `\ufeff${whole}`, 'accepted'],
    ['with a NUL', whole.replace('shop', '"sh\\0op"'), 'refused'],
    ['indented by tabs', whole.replaceAll('  ', '\t'), 'refused'],
    ['with line ends of Windows', whole.replaceAll('\n', '\r\n'), 'accepted'],
    ['without content', '# nothing\n', 'refused'],
  ])('%s is read or refused as it always was', (_what, text, gives) => {
    expect([typeof read(text) === 'string' ? 'refused' : 'accepted', read(text)]).toEqual([gives, read(text)]);
  });

  it('is refused with its place, or is what the YAML says and nothing else, whatever becomes of its lines, and at once', () => {
    const seen = { accepted: 0, refused: 0 };
    let slowestMs = 0;
    fc.assert(
      fc.property(changed, (text) => {
        const startedMs = performance.now();
        const found = read(text);
        slowestMs = Math.max(slowestMs, performance.now() - startedMs);
        if (typeof found === 'string') {
          seen.refused += 1;
          return found.startsWith('role.yaml:');
        }
        seen.accepted += 1;
        // The library's own reading of the text, empty documents aside, and our judgement of plain values: two ways to the same resources.
        const documents = [...parseAllDocuments(text)].flatMap((document): unknown[] => document.toJS() ?? []);
        return isDeepStrictEqual(found, documents.map(parseResource));
      }),
      long ? { numRuns: 50_000, interruptAfterTimeLimit: 20_000 } : { numRuns: 500 },
    );
    expect(Math.min(seen.accepted, seen.refused)).toBeGreaterThan(20);
    expect(slowestMs).toBeLessThan(1000);
    expect(({} as Record<string, unknown>)['a']).toBeUndefined();
  }, 600_000);
});
