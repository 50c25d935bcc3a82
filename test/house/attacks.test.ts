import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..', '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const inOrder = (texts: readonly string[]) => texts.toSorted((a, b) => a.localeCompare(b));

describe('the matrix of methods and identities', () => {
  it('has a row for every RPC in proto/, and for nothing else', () => {
    const folder = 'proto/postern/v1';
    const declared = readdirSync(join(root, folder)).flatMap((file) => {
      const text = read(join(folder, file)).replaceAll(/\/\/.*$/gm, '');
      const packageName = /^package ([\w.]+);/m.exec(text)?.[1] ?? '';
      return [...text.matchAll(/\bservice\s+(\w+)\s*\{([^}]*)\}/g)].flatMap(([, service = '', body = '']) =>
        [...body.matchAll(/\brpc\s+(\w+)/g)].map(([, method = '']) => `${packageName}.${service}/${method}`),
      );
    });
    expect(declared.length).toBeGreaterThan(25);
    const rows = [...read('test/attacks/matrix/matrix.ts').matchAll(/^ {2}'([\w.]+\/\w+)': row\(/gm)].map(([, path = '']) => path);
    expect(inOrder(rows)).toEqual(inOrder(declared));
  });
});
