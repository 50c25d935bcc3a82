import { RE2JS, RE2JSException } from 're2js';

import { limits } from '@postern/limits';
import { BoundedCache } from '#bounded-cache.ts';

/**
 * RE2's program has one instruction for about each character after counted repeats are written out. Matching costs
 * at most instructions × characters, so this is what bounds a decision: `(a?){1000}a{100}` has some 3,100 and took 50 ms.
 */
export const maxPatternProgram = 500;
/** Of all patterns of a role together: they are compiled in one go, a hundred thousand instructions in 100 ms. */
export const maxRoleProgram = 20_000;

export type Matches = (text: string) => boolean;

const programs = new BoundedCache<RE2JS>(4096);

/** A regular expression is written `^…$`; anything else with a `*` is a glob. */
export function isRegex(text: string): boolean {
  return text.startsWith('^') && text.endsWith('$') && text.length > 1;
}

export interface PatternLimits {
  readonly length: number;
  readonly program: number;
}
const writtenPattern: PatternLimits = { length: limits.regexCharacters, program: maxPatternProgram };

/**
 * Compiles with RE2, whose time is linear in the text: V8's own engine backtracks, and one role with `^(a+)+$` would
 * stop a server. Answers a sentence where it cannot be compiled.
 */
export function compilePattern(pattern: string, limits = writtenPattern): RE2JS | string {
  if (pattern.length > limits.length) return `the regular expression is longer than ${limits.length} characters`;
  try {
    const program = programs.getOrMake(pattern, () => RE2JS.compile(pattern));
    if (program.programSize() <= limits.program) return program;
    return 'the regular expression is too large once its repeats are written out; use * or + instead of {n}';
  } catch (error) {
    if (error instanceof RE2JSException)
      return `not a regular expression that RE2 accepts: ${error.message.replace('error parsing regexp: ', '')}`;
    throw error;
  }
}

/** Every character as an escape: literal outside and inside a character class, whatever the text holds. */
export function quoteForPattern(text: string): string {
  let quoted = '';
  for (const character of text) quoted += `\\x{${(character.codePointAt(0) ?? 0).toString(16)}}`;
  return quoted;
}

/** Part of a glob: text that means itself, or a run of any characters. */
export type GlobPart = { readonly literal: string } | 'any';

export function globParts(text: string): readonly GlobPart[] {
  const parts: GlobPart[] = [];
  for (const [index, literal] of text.split('*').entries()) {
    if (index > 0) parts.push('any');
    if (literal !== '') parts.push({ literal });
  }
  return parts;
}

/**
 * Matches the whole text. Taking each literal at its first place after the one before is right for globs, since only
 * `*` separates them; the last literal must end the text.
 */
export function compileGlob(parts: readonly GlobPart[]): Matches {
  const [first = '', ...others] = literalsBetweenStars(parts);
  const last = others.pop();
  if (last === undefined) return (text) => text === first;
  return (text) => {
    if (!text.startsWith(first)) return false;
    let from = first.length;
    for (const literal of others) {
      const at = text.indexOf(literal, from);
      if (at < 0) return false;
      from = at + literal.length;
    }
    return text.length - last.length >= from && text.endsWith(last);
  };
}

/** `a*b` gives ['a', 'b'], `*` gives ['', '']. */
function literalsBetweenStars(parts: readonly GlobPart[]): string[] {
  const literals: string[] = [];
  let literal = '';
  for (const part of parts) {
    if (part === 'any') {
      literals.push(literal);
      literal = '';
    } else literal += part.literal;
  }
  return [...literals, literal];
}
