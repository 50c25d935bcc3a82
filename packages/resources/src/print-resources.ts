import { stringify } from 'yaml';

import type { Resource } from '#resource.ts';

/**
 * Documents separated by `---`, fields in Teleport's order. Reading them back gives the same resources, also for a reader
 * of YAML 1.1, to whom a bare `off` or `no` is a boolean.
 */
export function toYaml(resources: readonly Resource[]): string {
  return resources
    .map((resource) => stringify(inOrder(resource), { lineWidth: 0, aliasDuplicateObjects: false, version: '1.2', compat: 'yaml-1.1' }))
    .join('---\n');
}

/** Always a list, as scripts expect of `tctl get --format=json`. */
export function toJson(resources: readonly Resource[]): string {
  return `${JSON.stringify(resources.map(inOrder), null, 4)}\n`;
}

function inOrder({ kind, sub_kind, version, metadata, spec, status }: Resource): Record<string, unknown> {
  return {
    kind,
    ...(sub_kind === undefined || sub_kind === '' ? {} : { sub_kind }),
    metadata,
    spec,
    ...(status === undefined ? {} : { status }),
    version,
  };
}
