import type { Entry } from '@postern/store';

/** A resource as it lies in the store and travels as JSON: Teleport's outer shape. The revision is the store entry's and is not stored. */
export interface ResourceJson {
  readonly kind: string;
  readonly version: string;
  readonly sub_kind?: string;
  readonly metadata: ResourceMetadata;
  readonly spec: Readonly<Record<string, unknown>>;
  /** Added for a user who lists what he may use: the principals that he may ask for. Never stored. */
  readonly users?: { readonly allowed: readonly string[]; readonly denied: readonly string[] };
}
export interface ResourceMetadata {
  readonly name: string;
  readonly description?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly expires?: string;
  readonly revision?: string;
}

export function readResource(entry: Entry): ResourceJson {
  return JSON.parse(entry.value) as ResourceJson;
}

export function withRevision(resource: ResourceJson, revision: string): ResourceJson {
  return { ...resource, metadata: { ...resource.metadata, revision } };
}

export function withoutRevision(resource: ResourceJson): ResourceJson {
  const { revision: _revision, ...metadata } = resource.metadata;
  return { ...resource, metadata };
}
