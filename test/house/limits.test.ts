import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { limits } from '@postern/limits';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..', '..');
const files = ['packages', 'services', 'cli', 'test']
  .flatMap((area) => readdirSync(join(root, area), { recursive: true, encoding: 'utf8' }).map((path) => join(area, path)))
  .filter((path) => path.endsWith('.ts') && !path.includes('node_modules') && !path.includes('/gen/') && existsSync(join(root, path)))
  .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
/** A conformance suite is a test that several files run. */
const isTest = (path: string) => path.endsWith('.test.ts') || path.includes('/conformance/');
const tests = files.filter(({ path }) => isTest(path) && !path.startsWith('test/house/'));
const sources = files.filter(
  ({ path }) => !isTest(path) && /^(?:packages|services|cli)\//.test(path) && !path.startsWith('packages/limits/'),
);

const names = Object.keys(limits);
/** A title and what stands between it and the next one, as the formatter lays tests out. */
const cases = tests.flatMap(({ path, text }) =>
  text
    .split(/\n(?= *(?:it|test)\b)/)
    .flatMap((body) =>
      body.includes('[limit ') ? [{ path, body, of: [...body.matchAll(/\[limit (\w+)\]/g)].map(([, name = '']) => name) }] : [],
    ),
);

describe('the table of limits', () => {
  it('has for each number a test that carries its name and is made of the number itself', () => {
    expect(names.length).toBeGreaterThan(25);
    const isMadeOf = (body: string, name: string) => new RegExp(`\\blimits\\.${name}\\b|\\b${name}\\b[^\\n]*\\} = limits;`).test(body);
    const untested = names.filter((name) => !cases.some(({ of, body }) => of.includes(name) && isMadeOf(body, name)));
    expect(untested).toEqual([]);
  });

  it('has a number for each name that a test carries', () => {
    expect(cases.flatMap(({ of, path }) => of.filter((name) => !names.includes(name)).map((name) => `${path}: ${name}`))).toEqual([]);
  });

  it('has no number that the code does not use', () => {
    const users = sources.filter(({ text }) => text.includes("'@postern/limits'"));
    const unused = names.filter(
      (name) => !users.some(({ text }) => new RegExp(`\\b${name}\\b`).test(text.replaceAll(/^\s*(?:\/\/|\/?\*).*$/gm, ''))),
    );
    expect(unused).toEqual([]);
  });
});
