import { validateRole } from '@postern/rbac';

import { appFromResource } from '#app-from-resource.ts';
import { isVoid } from '#kinds/fields.ts';
import type { Resource } from '#resource.ts';
import { roleFromResource } from '#role-from-resource.ts';
import { databaseFromResource } from '#database-from-resource.ts';
import { validateApp } from '#validate-app.ts';
import { validateDatabase } from '#validate-database.ts';
import type { Path } from '#yaml/yaml-document.ts';

export interface MeaningProblem {
  readonly path: Path;
  readonly of?: 'key' | 'value';
  readonly message: string;
}

/** What no schema can say: patterns and templates of roles, the address and account of databases and applications, reserved names and labels. */
export function checkMeaning(resource: Resource): readonly MeaningProblem[] {
  const problems: MeaningProblem[] = [];
  const { name, labels } = resource.metadata;
  if ((resource.kind === 'role' || resource.kind === 'user') && name.startsWith('@')) {
    problems.push({ path: ['metadata', 'name'], message: 'names that begin with @ belong to the system' });
  }
  if (resource.kind === 'db' || resource.kind === 'app') {
    for (const key of Object.keys(labels ?? {})) {
      if (isReservedLabel(key) && key !== originLabel)
        problems.push({ path: ['metadata', 'labels', key], of: 'key', message: 'labels under this prefix belong to the system' });
    }
  }
  if (resource.kind === 'role') {
    for (const { path, message } of validateRole(roleFromResource(resource))) problems.push({ path: stepsOf(path, resource), message });
  }
  if (resource.kind === 'db') problems.push(...validateDatabase(databaseFromResource(resource)));
  if (resource.kind === 'app') problems.push(...validateApp(appFromResource(resource)));
  if (resource.kind === 'cert_authority' && isVoid(resource.spec.active_keys.tls))
    problems.push({ path: ['spec', 'active_keys', 'tls'], message: 'must not be empty' });
  return problems;
}

export const originLabel = 'teleport.dev/origin';

/** Labels that only the cluster gives: an agent or a file that could set one could choose who may reach it. */
export function isReservedLabel(key: string): boolean {
  return /^(?:teleport|postern)\.(?:dev|internal|hidden)\//iu.test(key);
}

/** The path of a problem in a role, as steps: the names of labels may hold dots, so what is written there is followed. */
function stepsOf(path: string, resource: Resource): Path {
  const steps: (string | number)[] = [];
  let rest = path;
  let at: unknown = resource;
  while (rest !== '') {
    const index = /^\[(?<index>\d+)\]/u.exec(rest);
    if (index !== null) {
      // A label written as one text, not as a list, has no entry 0 of its own.
      if (Array.isArray(at)) steps.push(Number(index.groups?.['index']));
      at = Array.isArray(at) ? at[Number(index.groups?.['index'])] : at;
      rest = rest.slice(index[0].length).replace(/^\./u, '');
      continue;
    }
    const key = longestKey(at, rest);
    steps.push(key);
    at = typeof at === 'object' && at !== null && Object.hasOwn(at, key) ? (at as Record<string, unknown>)[key] : undefined;
    rest = rest.slice(key.length).replace(/^\./u, '');
  }
  return steps;
}

function longestKey(at: unknown, rest: string): string {
  const keys =
    typeof at === 'object' && at !== null
      ? Object.keys(at).filter((key) => rest === key || rest.startsWith(`${key}.`) || rest.startsWith(`${key}[`))
      : [];
  return keys.sort((left, right) => right.length - left.length)[0] ?? /^[^.[]+|^./u.exec(rest)?.[0] ?? rest;
}
