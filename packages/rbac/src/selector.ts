import { limits } from '@postern/limits';
import type { LabelSelector, Labels, Traits } from '#model.ts';
import { type Matches, compileGlob, compilePattern, globParts, isRegex, maxPatternProgram, quoteForPattern } from '#patterns.ts';
import { TemplateError } from '#expression.ts';
import { parseTemplate, traitTexts } from '#templates.ts';

export interface CompiledSelector {
  matches(labels: Labels): boolean;
  /** The labels that matched, for people: `env=prod team=red`, or `*=*`. */
  describe(labels: Labels): string;
}

/**
 * Keys are ANDed and the values of a key ORed. An empty selector matches nothing; `'*': '*'` matches every resource,
 * also one without labels. A key whose values all came from missing traits stays, and matches nothing.
 */
export function compileSelector(selector: LabelSelector, traits: Traits): CompiledSelector {
  const keys = Object.entries(selector);
  if (keys.length === 0) return { matches: () => false, describe: () => '' };
  const wildcard = keys.find(([key]) => key === '*');
  if (wildcard !== undefined) return { matches: () => true, describe: () => '*=*' };
  const compiled = keys.map(([key, values]) => ({ key, values: values.flatMap((value) => compileValue(value, traits)) }));
  return {
    matches(labels) {
      for (const { key, values } of compiled) {
        if (!Object.hasOwn(labels, key)) return false;
        const label = labels[key] ?? '';
        if (!values.some((matches) => matches(label))) return false;
      }
      return true;
    },
    describe: (labels) => compiled.map(({ key }) => `${key}=${labels[key] ?? ''}`).join(' '),
  };
}

/** One matcher, or with a template one for each text that the traits give. */
function compileValue(value: string, traits: Traits): readonly Matches[] {
  const template = parseTemplate(value);
  if (template.kind === 'literal') return [isRegex(value) ? patternMatcher(value) : compileGlob(globParts(value))];
  const { prefix, suffix } = template;
  return traitTexts(template, traits).map((text) => {
    if (isRegex(prefix + suffix)) return patternMatcher(prefix + quoteForPattern(text) + suffix, text);
    return compileGlob([...globParts(prefix), { literal: text }, ...globParts(suffix)]);
  });
}

/** Throws where a trait made the pattern too large: left out of a deny rule it would grant. */
function patternMatcher(pattern: string, trait = ''): Matches {
  const program = compilePattern(pattern, {
    length: limits.regexCharacters * 11,
    program: maxPatternProgram + Math.min(trait.length, limits.regexCharacters),
  });
  if (typeof program === 'string') throw new TemplateError(program);
  // A resource's labels are the same from request to request, and RE2 in JavaScript takes microseconds: the last answer is kept.
  let last: { readonly text: string; readonly matched: boolean } | undefined;
  return (text) => {
    if (last?.text !== text) last = { text, matched: program.test(text) };
    return last.matched;
  };
}
