import type { z } from 'zod';

import { ResourceError } from '#resource-error.ts';
import { checkSchema } from '#yaml/check-schema.ts';
import { readYaml } from '#yaml/read-yaml.ts';

/**
 * Reads one YAML (or JSON) document and holds it against a zod schema; build the schema from z.strictObject, so that
 * unknown fields are refused. Throws ResourceError with every problem, each as "file:line:column: path: sentence".
 * The document must be the only one in the text. Numbers with leading zeros arrive as text.
 */
export function parseYamlStrict<T>(text: string, schema: z.ZodType<T>, { file }: { readonly file: string }): T {
  const documents = readYaml(text, { file });
  const [document, second] = documents;
  if (document === undefined) throw new ResourceError(file, [{ path: '', message: 'is empty' }]);
  if (second !== undefined)
    throw new ResourceError(file, [{ path: '', message: 'only one document can stand in this file', ...second.position([]) }]);
  const outcome = checkSchema(document, schema);
  if ('problems' in outcome) throw new ResourceError(file, outcome.problems);
  return outcome.value;
}
