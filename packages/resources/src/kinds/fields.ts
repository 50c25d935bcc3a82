import { z } from 'zod';

import { limits } from '@postern/limits';
import { parseDurationMs } from '#duration.ts';
import { typeOf } from '#yaml/check-schema.ts';

/** Building blocks of the schemas: what a text in a certain place may be. */

/** Store keys are paths, and names are shown on terminals: no slash, no control character, no space at the ends. */
export const name = z
  .string()
  .min(1)
  .max(255)
  .refine((text) => !/[/\\\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(text) && text.trim() === text && text !== '.' && text !== '..', {
    error: 'must be a name without slashes, control characters or spaces at its ends',
  });

const { labelsPerResource, labelNameCharacters, labelValueCharacters } = limits;

/**
 * Label to text. Own check rather than z.record, which drops a label named "__proto__" without a word. A number or
 * `true` is refused: YAML readers differ in what they make of `no`, `1.10` or `0x1f`, and a decision hangs on it.
 */
export const labels = z
  .custom<Readonly<Record<string, string>>>((value) => isMap(value), { error: 'must be a map of label to text' })
  .superRefine((value, context) => {
    const entries = Object.entries(value as Record<string, unknown>);
    if (entries.length > labelsPerResource) context.addIssue({ code: 'custom', message: `has more than ${labelsPerResource} labels` });
    for (const [key, label] of entries) {
      const problem = labelNameProblem(key) ?? labelValueProblem(label);
      if (problem !== undefined) context.addIssue({ code: 'custom', path: [key], message: problem });
    }
  });

/** `'*': '*'`, `env: dev`, `env: [dev, test]`. The patterns themselves are judged by packages/rbac. */
export const labelSelector = z
  .custom<Readonly<Record<string, string | readonly string[]>>>((value) => isMap(value), {
    error: "must be a map of label to text or list of texts, such as '*': '*'",
  })
  .superRefine((value, context) => {
    for (const [key, written] of Object.entries(value as Record<string, unknown>)) {
      if (key.length === 0 || key.length > labelNameCharacters)
        context.addIssue({ code: 'custom', path: [key], message: `the name of a label has 1 to ${labelNameCharacters} characters` });
      for (const [index, item] of (Array.isArray(written) ? written : [written]).entries()) {
        if (typeof item === 'string') continue;
        context.addIssue({ code: 'custom', path: Array.isArray(written) ? [key, index] : [key], message: notText(item) });
      }
    }
  });

/** Trait to texts; Teleport writes null for a trait without values. */
export const traits = z
  .custom<Readonly<Record<string, readonly string[] | null>>>((value) => isMap(value), {
    error: 'must be a map of trait to a list of texts',
  })
  .superRefine((value, context) => {
    for (const [key, texts] of Object.entries(value as Record<string, unknown>)) {
      if (texts === null) continue;
      if (!Array.isArray(texts)) context.addIssue({ code: 'custom', path: [key], message: `must be a list, not ${typeOf(texts)}` });
      else
        for (const [index, text] of texts.entries())
          if (typeof text !== 'string') context.addIssue({ code: 'custom', path: [key, index], message: notText(text) });
    }
  });

export function labelNameProblem(key: string): string | undefined {
  if (key.length === 0 || key.length > labelNameCharacters) return `the name of a label has 1 to ${labelNameCharacters} characters`;
  return /^[\w/.:*+=@-]+$/u.test(key) ? undefined : 'the name of a label is made of letters, digits and _ / . : - + = @';
}

export function labelValueProblem(value: unknown): string | undefined {
  if (typeof value !== 'string') return notText(value);
  if (value.length > labelValueCharacters) return `is longer than ${labelValueCharacters} characters`;
  // Labels are shown on terminals and stand in the reasons of decisions.
  return /[\p{Cc}\p{Zl}\p{Zp}]/u.test(value) ? 'must not hold control characters' : undefined;
}

function notText(value: unknown): string {
  const quotes = typeof value === 'number' || typeof value === 'boolean' ? '; write it in quotes' : '';
  return `must be a text, not ${typeOf(value)}${quotes}`;
}

export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export const time = z
  .string()
  .refine((text) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/u.test(text) && !Number.isNaN(Date.parse(text)), {
    error: 'must be a time such as 2027-01-31T12:00:00Z',
  });

/** `8h0m0s`; kept as it was written. */
export const duration = z
  .string()
  .refine((text) => parseDurationMs(text) !== undefined, { error: 'must be a duration such as 8h or 1h30m' });

/** A field that Teleport has and that changes nothing here: kept as it is, so that files go round unharmed. */
export const kept = z.unknown();

/** A field that would restrict what people can do, and that nothing here enforces: taking it would be a false promise. */
export function unenforced(harmless: readonly unknown[], message: string): z.ZodType {
  return z.unknown().refine((value) => isVoid(value) || harmless.includes(value), { error: message });
}

/** Empty in the way that Teleport prints fields nobody set: null, "", 0, false, [], {} and maps of those. */
export function isVoid(value: unknown): boolean {
  if (value === null || value === undefined || value === '' || value === 0 || value === false) return true;
  if (value === '0s' || value === '0001-01-01T00:00:00Z') return true;
  return typeof value === 'object' && Object.values(value).every(isVoid);
}
