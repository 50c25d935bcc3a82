import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorCodes, services } from '@postern/api';
import { describe, expect, it } from 'vitest';
import { declaredRpcs } from './rpcs.ts';

const root = join(import.meta.dirname, '..', '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

describe('documents', () => {
  it('explain every error code, and no other', () => {
    const explained = [...read('docs/errors.md').matchAll(/^\| `([a-z_]+)` \|/gm)].map((match) => match[1] ?? '');
    expect(explained.toSorted((a, b) => a.localeCompare(b))).toEqual([...errorCodes].toSorted((a, b) => a.localeCompare(b)));
  });

  it('explain every event code that the sources emit', () => {
    const sources = ['packages', 'services'].flatMap((area) =>
      readdirSync(join(root, area), { recursive: true, encoding: 'utf8' })
        .filter((path) => path.includes('/src/') && path.endsWith('.ts') && !path.endsWith('.test.ts') && !path.includes('node_modules'))
        .map((path) => read(join(area, path))),
    );
    const emitted = new Set(
      sources.flatMap((source) => [...source.matchAll(/'(T[A-Z]{0,6}\d{2,5})[IWE]'/g)].map((match) => match[1] ?? '')),
    );
    expect(emitted.size).toBeGreaterThan(20);
    const explained = read('docs/audit-events.md');
    expect([...emitted].filter((code) => !explained.includes(code))).toEqual([]);
  });

  it('name only files that exist', () => {
    for (const document of ['docs/request-paths.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'SECURITY.md', 'README.md']) {
      const named = [...read(document).matchAll(/`((?:packages|services|cli|proto|test|scripts|docs)\/[\w./-]+)`/g)].map(
        (match) => match[1] ?? '',
      );
      expect({ document, missing: named.filter((path) => !existsSync(join(root, path))) }).toEqual({ document, missing: [] });
    }
  });

  it('lead through five journeys, each by files', () => {
    const journeys = read('docs/request-paths.md').split(/^## /m).slice(1);
    expect(journeys.length).toBeGreaterThanOrEqual(5);
    for (const journey of journeys)
      expect(journey.match(/`(?:packages|services|cli)\/[\w./-]+\.ts`/g)?.length ?? 0).toBeGreaterThanOrEqual(3);
  });
});

describe('the contracts', () => {
  it('have a rule for every RPC of every service in proto/', () => {
    const declared = declaredRpcs().map((rpc) => `/${rpc}`);
    expect(declared.length).toBeGreaterThan(25);
    const ruled = Object.values(services).flatMap(({ definition, rules }) =>
      Object.entries(definition as Record<string, { path: string }>)
        .filter(([method]) => method in rules)
        .map(([, { path }]) => path),
    );
    expect(ruled.toSorted((a, b) => a.localeCompare(b))).toEqual(declared.toSorted((a, b) => a.localeCompare(b)));
  });
});

describe('the table of faults', () => {
  const folder = 'test/faults';
  const rows = [...read(`${folder}/README.md`).matchAll(/^\| (F-\d\d) \| (.+?) \|/gm)].map(([, id = '', files = '']) => ({
    id,
    files: [...files.matchAll(/`([\w.-]+\.test\.ts)`/g)].map((match) => match[1] ?? ''),
  }));
  /** A case may stand in a file that its test file imports, as rounds do that differ in their number only. */
  const withImports = (file: string) => {
    const text = read(join(folder, file));
    return [text, ...[...text.matchAll(/from '#([\w-]+\.ts)'/g)].map((match) => read(join(folder, match[1] ?? '')))].join('\n');
  };

  it('names for each id files in which a case has it', () => {
    expect(rows.length).toBeGreaterThan(20);
    for (const { id, files } of rows) {
      expect({ id, files: files.length > 0 }).toEqual({ id, files: true });
      for (const file of files) expect({ id, file, has: withImports(file).includes(`${id} `) }).toMatchObject({ has: true });
    }
  });

  it('has a row for each id that a case has', () => {
    const cases = new Set(
      readdirSync(join(root, folder))
        .filter((file) => file.endsWith('.ts'))
        .flatMap((file) => [...read(join(folder, file)).matchAll(/['`[ ](F-\d\d) /g)].map((match) => match[1] ?? '')),
    );
    expect([...cases].filter((id) => !rows.some((row) => row.id === id))).toEqual([]);
  });
});
