import {
  type CST,
  Composer,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  type ParsedNode,
  Parser,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';

import { limits } from '@postern/limits';
import { type Problem, ResourceError } from '#resource-error.ts';
import { findExcess } from '#yaml/find-excess.ts';
import { type Path, type YamlDocument, writtenPath } from '#yaml/yaml-document.ts';

export const maxYamlValues = 50_000;

/**
 * Reads YAML 1.2, or JSON, into plain values. What two readers could understand differently is refused with its place:
 * aliases and anchors, merge keys, tags, directives, names given twice, names that are not text. Documents without
 * content are left out.
 */
export function readYaml(text: string, { file }: { readonly file: string }): readonly YamlDocument[] {
  if (Buffer.byteLength(text) > limits.yamlBytes)
    throw new ResourceError(file, [{ path: '', message: `is larger than ${limits.yamlBytes / 1024} KiB` }]);
  const lines = new LineCounter();
  const tokens = tokenise(text, lines, file);
  const excess = findExcess(tokens, { depth: limits.nestingDepth, values: maxYamlValues });
  if (excess !== undefined) {
    const message = excess.of === 'depth' ? `is nested deeper than ${limits.nestingDepth} levels` : `has more than ${maxYamlValues} values`;
    throw new ResourceError(file, [{ path: '', message, ...place(lines, excess.offset) }]);
  }
  const directive = tokens.find((token) => token.type === 'directive');
  if (directive !== undefined)
    throw new ResourceError(file, [{ path: '', message: 'directives (%) are not supported', ...place(lines, directive.offset) }]);
  const composer = new Composer({ version: '1.2', schema: 'core', merge: false, uniqueKeys: false, keepSourceTokens: true, strict: true });
  const documents = [...composer.compose(tokens, false, text.length)];
  const problems = documents.flatMap((document) => syntaxProblems(document, lines, text));
  if (problems.length > 0) throw new ResourceError(file, problems);
  const read = documents
    .filter((document) => document.contents !== null && !isEmpty(document.contents))
    .map((document) => toDocument(document, lines));
  const refused = read.flatMap((document) => document.problems);
  if (refused.length > 0) throw new ResourceError(file, refused);
  return read.map((document) => document.document);
}

/** Stops at the limits: a file of brackets nests a million deep, and a file of commas alone has half a million values in a megabyte and took seconds to parse. */
function tokenise(text: string, lines: LineCounter, file: string): readonly CST.Token[] {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  const tokens: CST.Token[] = [];
  let lexemes = 0;
  for (const lexeme of new Lexer().lex(text)) {
    lexemes += 1;
    if (lexemes > maxYamlValues * 4) throw new ResourceError(file, [{ path: '', message: `has more than ${maxYamlValues} values` }]);
    for (const token of parser.next(lexeme)) tokens.push(token);
    // The document and a scalar stand on the stack beside the open maps and lists; the exact count follows in findExcess.
    if (parser.stack.length > limits.nestingDepth + 3) {
      throw new ResourceError(file, [
        { path: '', message: `is nested deeper than ${limits.nestingDepth} levels`, ...place(lines, parser.offset) },
      ]);
    }
  }
  for (const token of parser.end()) tokens.push(token);
  return tokens;
}

function isEmpty(node: ParsedNode): boolean {
  return isScalar(node) && node.value === null && (node.source ?? '') === '';
}

function place(lines: LineCounter, offset: number): { readonly line: number; readonly column: number } {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

function syntaxProblems(document: Document.Parsed, lines: LineCounter, text: string): readonly Problem[] {
  return [...document.errors, ...document.warnings].slice(0, 1).map((error) => {
    const [at] = error.pos;
    const line = text.slice(text.lastIndexOf('\n', at - 1) + 1).split('\n', 1)[0] ?? '';
    const star = error.code === 'BAD_ALIAS' || /(?:^|[\s:[,-])\*\s*(?:[:,\]]|$)/u.test(line);
    const message = star ? "aliases are not supported; write a star in quotes: '*': '*'" : lowerFirst(error.message);
    return { path: '', message, ...place(lines, at) };
  });
}

/** The text that a message quotes is left out: it may be a token or a key. */
function lowerFirst(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1).replace(/(?:: ".*"|\.)$/su, '');
}

interface Walk {
  readonly lines: LineCounter;
  readonly problems: Problem[];
}

function toDocument(
  document: Document.Parsed,
  lines: LineCounter,
): { readonly document: YamlDocument; readonly problems: readonly Problem[] } {
  const walk: Walk = { lines, problems: [] };
  const contents = document.contents as ParsedNode;
  const value = plain(contents, [], walk);
  return { problems: walk.problems, document: { value, position: (path, of = 'value') => place(lines, offsetOf(contents, path, of)) } };
}

function refuse(walk: Walk, node: Node, path: Path, message: string): undefined {
  walk.problems.push({ path: writtenPath(path), message, ...place(walk.lines, node.range?.[0] ?? 0) });
  return undefined;
}

function plain(node: Node | null, path: Path, walk: Walk): unknown {
  if (node === null) return null;
  if (isAlias(node)) return refuse(walk, node, path, 'aliases are not supported; write the value out');
  if ('anchor' in node && node.anchor !== undefined)
    return refuse(walk, node, path, 'anchors are not supported; write the value out where it is used');
  if (node.tag !== undefined) return refuse(walk, node, path, `tags (${node.tag.slice(0, 40)}) are not supported`);
  if (isMap(node)) return plainMap(node, path, walk);
  if (isSeq(node)) return (node as YAMLSeq<Node | null>).items.map((item, index) => plain(item, [...path, index], walk));
  if (isScalar(node)) return plainScalar(node.value, node.source);
  return refuse(walk, node, path, 'cannot be read');
}

function plainMap(node: YAMLMap, path: Path, walk: Walk): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const { key, value } of (node as YAMLMap<Node | null, Node | null>).items) {
    if (!isScalar(key) || typeof key.value !== 'string') {
      const wrong = key ?? node;
      const written =
        isScalar(key) && key.source !== undefined && key.source !== '' ? `; write '${key.source.slice(0, 40)}' in quotes` : '';
      refuse(walk, wrong, path, `the name of a field must be a text${written}`);
      continue;
    }
    const name = key.value;
    if (key.tag !== undefined || key.anchor !== undefined) refuse(walk, key, [...path, name], 'tags and anchors are not supported');
    else if (name === '<<') refuse(walk, key, [...path, name], 'merge keys are not supported; write the fields out');
    else if (Object.hasOwn(out, name)) refuse(walk, key, [...path, name], 'is given twice');
    // Assigning to "__proto__" would set the prototype and lose the field.
    else
      Object.defineProperty(out, name, {
        value: plain(value, [...path, name], walk),
        enumerable: true,
        writable: true,
        configurable: true,
      });
  }
  return out;
}

/** Digits that a number cannot hold as they were typed (an account id 012345678901) stay text. */
function plainScalar(value: unknown, source: string | undefined): unknown {
  if (typeof value !== 'number' || source === undefined || !/^[-+]?\d+$/u.test(source)) return value;
  return /^[-+]?0\d/u.test(source) || !Number.isSafeInteger(value) ? source : value;
}

function offsetOf(root: Node, path: Path, of: 'key' | 'value'): number {
  let node: Node | null = root;
  let offset = root.range?.[0] ?? 0;
  for (const [index, step] of path.entries()) {
    if (isSeq(node)) {
      const item: Node | null | undefined = (node as YAMLSeq<Node | null>).items[Number(step)];
      if (item === undefined || item === null) return offset;
      node = item;
      offset = item.range?.[0] ?? offset;
      continue;
    }
    const pair: { readonly key: unknown; readonly value: unknown } | undefined = isMap(node)
      ? node.items.find((candidate) => isScalar(candidate.key) && candidate.key.value === String(step))
      : undefined;
    if (pair === undefined || !isScalar(pair.key)) return offset;
    const keyOffset = pair.key.range?.[0] ?? offset;
    const value = pair.value as Node | null;
    const last = index === path.length - 1;
    offset = value === null || (last && of === 'key') ? keyOffset : (value.range?.[0] ?? keyOffset);
    node = value;
  }
  return offset;
}
