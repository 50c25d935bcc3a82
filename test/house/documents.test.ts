import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorCodes, services } from '@postern/api';
import { describe, expect, it } from 'vitest';

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
    const folder = 'proto/postern/v1';
    const declared = readdirSync(join(root, folder)).flatMap((file) => {
      const service = read(join(folder, file)).match(/^service (\w+) \{([\s\S]*?)^\}/m);
      return service === null
        ? []
        : [...(service[2] ?? '').matchAll(/^ {2}rpc (\w+)\(/gm)].map((rpc) => `/postern.v1.${service[1]}/${rpc[1]}`);
    });
    const ruled = Object.values(services).flatMap(({ definition, rules }) =>
      Object.entries(definition as Record<string, { path: string }>)
        .filter(([method]) => method in rules)
        .map(([, { path }]) => path),
    );
    expect(ruled.toSorted((a, b) => a.localeCompare(b))).toEqual(declared.toSorted((a, b) => a.localeCompare(b)));
  });
});
