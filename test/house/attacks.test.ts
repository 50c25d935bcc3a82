import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { declaredRpcs, rpcsOf } from './rpcs.ts';

const root = join(import.meta.dirname, '..', '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const inOrder = (texts: readonly string[]) => texts.toSorted((a, b) => a.localeCompare(b));

describe('the matrix of methods and identities', () => {
  it('has a row for every RPC in proto/, and for nothing else', () => {
    const declared = declaredRpcs();
    expect(declared.length).toBeGreaterThan(25);
    const rows = [...read('test/attacks/matrix/matrix.ts').matchAll(/^ {2}'([\w.]+\/\w+)': row\(/gm)].map(([, path = '']) => path);
    expect(inOrder(rows)).toEqual(inOrder(declared));
  });

  it('is held against each RPC of each service, whatever stands around it', () => {
    const proto = `
      syntax = "proto3";
      package a.v1; // service No { rpc One(A) returns (B); }
      service First { rpc One(A) returns (B) { option (rule) = "}"; } rpc Two(stream A) returns (B) {} /* } */ rpc Three (A) returns (B); }
      service Second {
        rpc
          Four(A) returns (B);
      }`;
    expect(rpcsOf(proto)).toEqual(['a.v1.First/One', 'a.v1.First/Two', 'a.v1.First/Three', 'a.v1.Second/Four']);
  });
});

/** At the head of a title several ids may stand. */
const isTitled = (text: string, id: string) => new RegExp(`['\`](?:[A-Z]{2}-\\d{2} )*${id} `).test(text);

describe('the catalogue of attacks', () => {
  const rows = read('test/attacks/README.md')
    .split('\n')
    .flatMap((line) => {
      const [, id = '', , proof = ''] = /^\| ([A-Z]{2}-\d{2}) \| ([^|]+) \| ([^|]+) \|$/.exec(line) ?? [];
      return id === '' ? [] : [{ id, proof: proof.trim() }];
    });

  it('names each case once', () => {
    expect(rows.length).toBeGreaterThan(100);
    expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length);
  });

  it('names for each case a file in which a test carries its id, or the reason why there is none', () => {
    const unproven = rows.flatMap(({ id, proof }) => {
      if (proof.startsWith('none: '))
        return [...proof.matchAll(/`([^`]+)`/g)].some(([, path = '']) => !existsSync(join(root, path))) ? [id] : [];
      const path = /^`([\w./-]+\.test\.ts)`$/.exec(proof)?.[1] ?? '';
      if (!existsSync(join(root, path)) || path === '') return [id];
      return isTitled(read(path), id) ? [] : [id];
    });
    expect(unproven).toEqual([]);
  });

  it('gives no reason for a lack of what there is', () => {
    const tests = ['packages', 'services', 'cli', 'test'].flatMap((area) =>
      readdirSync(join(root, area), { recursive: true, encoding: 'utf8' })
        .filter((path) => path.endsWith('.test.ts') && !path.includes('node_modules'))
        .map((path) => read(join(area, path))),
    );
    const lacking = rows.filter(({ proof }) => proof.startsWith('none: ')).map(({ id }) => id);
    expect(lacking.filter((id) => tests.some((text) => isTitled(text, id)))).toEqual([]);
  });

  it('knows every id that a test of test/attacks carries', () => {
    const known = new Set(rows.map(({ id }) => id));
    const carried = readdirSync(join(root, 'test/attacks'), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.test.ts') && !path.includes('node_modules'))
      .flatMap((path) => read(join('test/attacks', path)).match(/\b(?:ED|AP|AG|LG|CA|RB|JN|TN|CL|AU)-\d{2}\b/g) ?? []);
    expect(carried.length).toBeGreaterThan(50);
    expect(carried.filter((id) => !known.has(id))).toEqual([]);
  });
});
