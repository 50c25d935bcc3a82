import { checkMeaning } from '#check-meaning.ts';
import { isMap } from '#kinds/fields.ts';
import { isKind, kinds, unknownKind } from '#kinds/kind.ts';
import { schemaOf } from '#kinds/schemas.ts';
import type { Resource } from '#resource.ts';
import { type Problem, ResourceError } from '#resource-error.ts';
import { checkSchema } from '#yaml/check-schema.ts';
import { readYaml } from '#yaml/read-yaml.ts';
import { type Path, type YamlDocument, documentOfValue, problemAt } from '#yaml/yaml-document.ts';

/** A resource and the line of its file where it begins. */
export interface ParsedDocument {
  readonly resource: Resource;
  readonly file: string;
  readonly line: number;
}

/**
 * Every resource of a YAML file (documents separated by `---`) or a JSON one (a resource, or the list that
 * `tctl get --format=json` prints). All are read before any is returned: with one problem there is none to apply.
 */
export function parseDocuments(text: string, { file }: { readonly file: string }): readonly ParsedDocument[] {
  const found: ParsedDocument[] = [];
  const problems: Problem[] = [];
  const seen = new Map<string, number>();
  for (const document of readYaml(text, { file }).flatMap(entries)) {
    const outcome = read(document);
    if ('problems' in outcome) {
      problems.push(...outcome.problems);
      continue;
    }
    const { kind, metadata } = outcome.value;
    const { line } = document.position([]);
    const before = seen.get(`${kind}/${metadata.name}`);
    // The name of a token is the token: it is not repeated.
    const what = kind === 'token' ? 'a token of this name' : `${kind}/${metadata.name}`;
    if (before !== undefined) {
      problems.push(problemAt(document, ['metadata', 'name'], 'value', `${what} stands in this file already, at line ${before}`));
    }
    seen.set(`${kind}/${metadata.name}`, line);
    found.push({ resource: outcome.value, file, line });
  }
  if (problems.length > 0) throw new ResourceError(file, problems);
  if (found.length === 0) throw new ResourceError(file, [{ path: '', message: 'holds no resource' }]);
  return found;
}

/** The same strictness for a value that came as JSON. Throws ResourceError, without places. */
export function parseResource(json: unknown): Resource {
  const outcome = read(documentOfValue(json));
  if ('problems' in outcome) throw new ResourceError(undefined, outcome.problems);
  return outcome.value;
}

/** The items of a document that is a list. */
function entries(document: YamlDocument): readonly YamlDocument[] {
  if (!Array.isArray(document.value)) return [document];
  return document.value.map((value: unknown, index) => ({
    value,
    position: (path: Path, of?: 'key' | 'value') => document.position([index, ...path], of),
  }));
}

type Readable = { readonly value: unknown; readonly position: YamlDocument['position'] | undefined };

function read(document: Readable): { readonly value: Resource } | { readonly problems: readonly Problem[] } {
  const { value } = document;
  const fail = (path: Path, message: string): { readonly problems: readonly Problem[] } => ({
    problems: [problemAt(document, path, 'value', message)],
  });
  if (!isMap(value)) return fail([], 'must be a resource: a map with kind, version, metadata and spec');
  const { kind, version } = value;
  if (typeof kind !== 'string') return fail(['kind'], kind === undefined ? 'is missing' : 'must be a text');
  if (!isKind(kind)) return fail(['kind'], unknownKind(kind));
  const { versions }: { readonly versions: readonly string[] } = kinds[kind];
  if (typeof version !== 'string')
    return fail(['version'], version === undefined ? `is missing; a ${kind} has version ${versions.join(', ')}` : 'must be a text');
  if (!versions.includes(version))
    return fail(['version'], `${version.slice(0, 32)} is not a version of ${kind}; known ones: ${versions.join(', ')}`);
  const outcome = checkSchema(document, schemaOf(kind));
  if ('problems' in outcome) return outcome;
  const resource = outcome.value as Resource;
  const problems = checkMeaning(resource).map(({ path, of, message }) => problemAt(document, path, of ?? 'value', message));
  return problems.length > 0 ? { problems } : { value: resource };
}
