import type { z } from 'zod';

import type { Path } from '#yaml/yaml-document.ts';

/** What zod 4 keeps of a schema, as far as finding the names of fields needs it. */
interface Definition {
  readonly type: string;
  readonly shape?: Readonly<Record<string, z.ZodType>>;
  readonly innerType?: z.ZodType;
  readonly element?: z.ZodType;
  readonly valueType?: z.ZodType;
  readonly options?: readonly z.ZodType[];
  readonly in?: z.ZodType;
}

/** The names that an object at `path` may have, or undefined where no object with fixed names stands there. */
export function fieldsAt(schema: z.ZodType, path: Path): readonly string[] | undefined {
  let candidates = expand(schema);
  for (const step of path) candidates = candidates.flatMap((candidate) => below(candidate, step).flatMap(expand));
  const objects = candidates.filter((candidate) => candidate.shape !== undefined);
  return objects.length === 0 ? undefined : [...new Set(objects.flatMap((object) => Object.keys(object.shape ?? {})))];
}

/** Looks through optional, default, pipe and union to the forms beneath. */
function expand(schema: z.ZodType): Definition[] {
  const definition = schema._zod.def as unknown as Definition;
  if (definition.options !== undefined) return definition.options.flatMap(expand);
  if (definition.innerType !== undefined) return expand(definition.innerType);
  if (definition.type === 'pipe' && definition.in !== undefined) return expand(definition.in);
  return [definition];
}

function below(definition: Definition, step: string | number): readonly z.ZodType[] {
  if (definition.shape !== undefined) {
    const field = Object.hasOwn(definition.shape, step) ? definition.shape[step] : undefined;
    return field === undefined ? [] : [field];
  }
  const inner = definition.element ?? definition.valueType;
  return inner === undefined ? [] : [inner];
}
