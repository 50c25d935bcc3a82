import type { z } from 'zod';

import type { Problem } from '#resource-error.ts';
import { fieldsAt } from '#yaml/schema-fields.ts';
import { suggestion } from '#yaml/suggest.ts';
import { type Path, type YamlDocument, problemAt } from '#yaml/yaml-document.ts';

type Checked = { readonly value: unknown; readonly position: YamlDocument['position'] | undefined };
export type Outcome<T> = { readonly value: T } | { readonly problems: readonly Problem[] };

/** Holds a document against a schema; each problem gets its place, a plain sentence, and a suggestion for a misspelt name. */
export function checkSchema<T>(document: Checked, schema: z.ZodType<T>): Outcome<T> {
  const hidden = protoFields(document.value, schema).map((path) => problemAt(document, path, 'key', 'unknown field'));
  const result = schema.safeParse(document.value, { reportInput: true });
  if (result.success && hidden.length === 0) return { value: result.data };
  const issues = result.success ? [] : result.error.issues.flatMap((issue) => problemsOf(document, schema, issue));
  return { problems: [...hidden, ...issues] };
}

function problemsOf(document: Checked, schema: z.ZodType, issue: z.core.$ZodIssue): readonly Problem[] {
  const path = issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step));
  if (issue.code === 'unrecognized_keys') {
    const known = fieldsAt(schema, path) ?? [];
    return issue.keys.map((key) => problemAt(document, [...path, key], 'key', `unknown field${suggestion(key, known)}`));
  }
  if (issue.code === 'invalid_union') {
    const nearest = nearestBranch(issue.errors);
    if (nearest !== undefined)
      return nearest.flatMap((inner) => problemsOf(document, schema, { ...inner, path: [...issue.path, ...inner.path] }));
  }
  return [problemAt(document, path, 'value', sentence(issue))];
}

/** Of the forms that a field may have, the one that was meant: where the trouble lies deepest. */
function nearestBranch(branches: readonly (readonly z.core.$ZodIssue[])[]): readonly z.core.$ZodIssue[] | undefined {
  const depth = (branch: readonly z.core.$ZodIssue[]): number => Math.max(...branch.map((issue) => issue.path.length));
  const deepest = branches.filter((branch) => branch.length > 0).sort((left, right) => depth(right) - depth(left))[0];
  return deepest !== undefined && depth(deepest) > 0 ? deepest : undefined;
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'a map of fields',
  record: 'a map of fields',
  array: 'a list',
  null: 'nothing',
};

function sentence(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type': {
      if (issue.input === undefined) return 'is missing';
      const expected = typeNames[issue.expected] ?? issue.expected;
      const quotes =
        issue.expected === 'string' && (typeof issue.input === 'number' || typeof issue.input === 'boolean') ? '; write it in quotes' : '';
      return `must be ${expected}, not ${typeOf(issue.input)}${quotes}`;
    }
    case 'invalid_value': {
      const known = issue.values.map(String);
      if (issue.input === undefined) return 'is missing';
      const given = typeof issue.input === 'string' ? suggestion(issue.input, known) : '';
      return known.length === 1 ? `must be ${known[0] ?? ''}` : `must be one of ${known.join(', ')}${given}`;
    }
    case 'too_big':
      return issue.origin === 'string'
        ? `is longer than ${issue.maximum} characters`
        : issue.origin === 'array'
          ? `has more than ${issue.maximum} entries`
          : `must be at most ${issue.maximum}`;
    case 'too_small':
      return issue.origin === 'string' || issue.origin === 'array' ? 'must not be empty' : `must be at least ${issue.minimum}`;
    case 'invalid_union':
      return unionSentence(issue);
    default:
      return issue.message;
  }
}

/** "must be a text or a list, not a number" where every form is refused for its type alone. */
function unionSentence(issue: z.core.$ZodIssueInvalidUnion): string {
  const expected = issue.errors.flatMap((branch) =>
    branch.map((inner) => (inner.code === 'invalid_type' ? (typeNames[inner.expected] ?? inner.expected) : undefined)),
  );
  if (issue.input === undefined) return 'is missing';
  if (expected.length === 0 || expected.includes(undefined)) return 'has none of the forms that are allowed here';
  const quotes =
    expected.includes('a text') && (typeof issue.input === 'number' || typeof issue.input === 'boolean') ? '; write it in quotes' : '';
  return `must be ${[...new Set(expected)].join(' or ')}, not ${typeOf(issue.input)}${quotes}`;
}

export function typeOf(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map of fields';
  if (typeof value === 'string') return 'a text';
  return typeof value === 'number' ? 'a number' : typeof value === 'boolean' ? String(value) : typeof value;
}

/** zod passes over a field named "__proto__" without a word, also in strict objects. */
function protoFields(value: unknown, schema: z.ZodType, path: Path = []): readonly Path[] {
  if (typeof value !== 'object' || value === null || path.length > 64) return [];
  const found: Path[] = [];
  if (!Array.isArray(value) && Object.hasOwn(value, '__proto__') && fieldsAt(schema, path) !== undefined)
    found.push([...path, '__proto__']);
  for (const [key, inner] of Object.entries(value)) {
    if (key !== '__proto__') found.push(...protoFields(inner, schema, [...path, Array.isArray(value) ? Number(key) : key]));
  }
  return found;
}
