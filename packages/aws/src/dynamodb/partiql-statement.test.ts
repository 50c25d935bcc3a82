import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { partiqlStatement } from '#dynamodb/partiql-statement.ts';

const place = { region: 'us-east-1', accountId: '123456789012' };
const read = (text: string) => partiqlStatement(text, place);

describe('partiqlStatement', () => {
  test.each([
    ['SELECT * FROM Music', 'SELECT', 'Music', undefined],
    ['select a, b from "Music" where Artist = ?', 'SELECT', 'Music', undefined],
    ['SELECT * FROM "Music"."ByYear" WHERE Year > 1999 ORDER BY Year DESC', 'SELECT', 'Music', 'ByYear'],
    ['SELECT * FROM Music.ByYear', 'SELECT', 'Music', 'ByYear'],
    ["SELECT * FROM Music WHERE a = 'x FROM \"Other\"' AND b IN ['it''s', 2]", 'SELECT', 'Music', undefined],
    ['SELECT "FROM", "UPDATE" FROM "Music"', 'SELECT', 'Music', undefined],
    ['SELECT /* FROM "Other" */ * FROM -- "Other"\n"Music"', 'SELECT', 'Music', undefined],
    ['SELECT * FROM "arn:aws:dynamodb:us-east-1:123456789012:table/Music"', 'SELECT', 'Music', undefined],
    ['SELECT * FROM Music;', 'SELECT', 'Music', undefined],
    ["EXISTS(SELECT * FROM Music WHERE Artist = 'x')", 'SELECT', 'Music', undefined],
    ["INSERT INTO \"Music\" VALUE {'Artist': 'x', 'Tags': <<'a','b'>>}", 'INSERT', 'Music', undefined],
    ['UPDATE "Music" SET a = a + 1 REMOVE b WHERE Artist = ? RETURNING ALL OLD *', 'UPDATE', 'Music', undefined],
    ['DELETE FROM "Music" WHERE Artist = ? RETURNING ALL OLD *', 'DELETE', 'Music', undefined],
  ])('%s', (text, verb, table, index) => {
    expect(read(text)).toEqual({ verb, table, ...(index === undefined ? {} : { index }) });
  });

  test.each([
    ['two tables', 'SELECT * FROM Music, Secret'],
    ['a join', 'SELECT * FROM Music JOIN Secret ON a = b'],
    ['an alias, behind which a table could hide', 'SELECT * FROM Music AS m, Secret AS s'],
    ['a subquery', 'SELECT * FROM Music WHERE a IN (SELECT a FROM Secret)'],
    ['a subquery for a table', 'SELECT * FROM (SELECT * FROM Secret)'],
    ['a parameter for a table', 'SELECT * FROM ?'],
    ['a string for a table', "SELECT * FROM 'Music'"],
    ['a path after the index', 'SELECT * FROM Music.ByYear.more'],
    ['two statements', 'SELECT * FROM Music; DELETE FROM Secret'],
    ['an update that reads elsewhere', 'UPDATE Music SET a = 1 FROM Secret'],
    ['another verb', 'DROP TABLE Music'],
    ['no verb', '"Music"'],
    ['nothing', ''],
    ['an open string', "SELECT * FROM Music WHERE a = 'x"],
    ['an open name', 'SELECT * FROM "Music'],
    ['an open comment', 'SELECT * FROM Music /* x'],
    ['a comment within a comment', 'SELECT * /* /* */ FROM Secret -- */ FROM Music'],
    ['a comment that ends where only some see a line end', 'SELECT * FROM Music -- \r , Secret'],
    ['a Unicode line end in a comment', 'SELECT * FROM Music -- \u2028 WHERE a = 1'],
    ['an Ion literal', 'SELECT * FROM Music WHERE a = `"x"`'],
    ['a no-break space', 'SELECT * FROM\u00a0Music'],
    ['a table of another account', 'SELECT * FROM "arn:aws:dynamodb:us-east-1:210987654321:table/Music"'],
    ['a table of another region', 'SELECT * FROM "arn:aws:dynamodb:eu-west-1:123456789012:table/Music"'],
    ['a name no table can have', 'SELECT * FROM "Mu sic"'],
    ['an EXISTS that goes on', 'EXISTS(SELECT * FROM Music) OR EXISTS(SELECT * FROM Secret)'],
    ['an INSERT that selects', 'INSERT INTO Music SELECT * FROM Secret'],
  ])('%s: refused', (_, text) => {
    expect(() => read(text)).toThrow();
  });

  test('8192 characters are read and 8193 are not', () => {
    const start = 'SELECT * FROM Music';
    expect(read(start.padEnd(8192))).toEqual({ verb: 'SELECT', table: 'Music' });
    expect(() => read(start.padEnd(8193))).toThrow('8192');
  });

  test('no text takes long or throws anything but a refusal', () => {
    const piece = fc.constantFrom(
      'SELECT ',
      'FROM ',
      'Music',
      '"',
      "'",
      '--',
      '/*',
      '*/',
      '\n',
      ' ',
      '.',
      '(',
      ')',
      ';',
      '**',
      '//',
      'é',
      '1',
      '.5e3',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        const text = pieces.join('');
        let table;
        try {
          ({ table } = read(text));
        } catch (error) {
          expect(error).toHaveProperty('code');
          return;
        }
        // two pieces may make one name ("Music" and "SELECT "), but none that nobody wrote
        expect(table).not.toBe('');
        expect(text.replaceAll('""', '"')).toContain(table);
      }),
      { numRuns: 5000 },
    );
    const started = performance.now();
    for (const text of ['*', '/*', '--', '-', "''", '""', '/*'.padEnd(100, '*')])
      expect(() => read(text.repeat(8192 / text.length))).toThrow();
    expect(performance.now() - started).toBeLessThan(2000);
  });
});
