import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = join(import.meta.dirname, '..', '..', 'proto');

/** `package.Service/Method` of every RPC that a file below proto/ declares. */
export function declaredRpcs(): readonly string[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.proto'));
  return files.flatMap((name) => rpcsOf(readFileSync(join(folder, name), 'utf8')));
}

/** As `declaredRpcs`, of the text of one file. */
export function rpcsOf(proto: string): readonly string[] {
  // A brace in a text or a comment closes nothing.
  const text = proto.replaceAll(/\/\/.*$|\/\*[^]*?\*\/|"(?:[^"\\]|\\.)*"/gm, ' ');
  const packageName = /\bpackage\s+([\w.]+)\s*;/.exec(text)?.[1] ?? '';
  return [...text.matchAll(/\bservice\s+(\w+)\s*\{/g)].flatMap(({ 0: head, 1: service = '', index }) =>
    [...block(text, index + head.length).matchAll(/\brpc\s+(\w+)/g)].map(([, method = '']) => `${packageName}.${service}/${method}`),
  );
}

/** From behind a brace to the one that closes it. */
function block(text: string, from: number): string {
  let depth = 1;
  let at = from;
  for (; at < text.length && depth > 0; at += 1) {
    if (text[at] === '{') depth += 1;
    if (text[at] === '}') depth -= 1;
  }
  return text.slice(from, at);
}
