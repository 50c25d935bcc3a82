import { BoundedCache } from '#bounded-cache.ts';
import type { Traits } from '#model.ts';
import { type Expression, TemplateError, evaluate, parseExpression } from '#expression.ts';

/** A value of a role: literal text, or text around one `{{expression}}`. */
export type Template =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'template'; readonly prefix: string; readonly expression: Expression; readonly suffix: string };

const parsed = new BoundedCache<Template>(4096);
const shape = /^(?<prefix>[^{}]*)\{\{(?<expression>.*)\}\}(?<suffix>[^{}]*)$/su;

export function parseTemplate(text: string): Template {
  return parsed.getOrMake(text, () => {
    if (!text.includes('{{') && !text.includes('}}')) return { kind: 'literal', text };
    const groups = shape.exec(text)?.groups;
    if (groups === undefined)
      throw new TemplateError('at most one {{…}} can stand in a value, with text without braces before and after it');
    const { prefix = '', expression = '', suffix = '' } = groups;
    return { kind: 'template', prefix, expression: parseExpression(expression), suffix };
  });
}

/**
 * The texts that the traits give for the expression. Empty ones and missing traits are dropped. What a trait holds is
 * always text: nothing here or after it reads a `*`, a `^…$` or a `{{…}}` in it.
 */
export function traitTexts(template: Template & { readonly kind: 'template' }, traits: Traits): readonly string[] {
  return [...new Set(evaluate(template.expression, traits))].filter((text) => text !== '');
}
