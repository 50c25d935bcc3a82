import { randomUUID } from 'node:crypto';
import type { Entry, Store } from '@postern/store';
import type { Traits } from '@postern/rbac';
import type { ResourceJson } from '#resources/stored-resource.ts';
import { keys } from '#state/keys.ts';

/** A user as stored: the resource that administrators see, and the generation that certificates are bound to. */
export interface UserRecord {
  readonly name: string;
  readonly roles: readonly string[];
  readonly traits: Traits;
  /** Another after each re-creation and password reset: what an older one signed in is dead. */
  readonly generation: string;
  readonly resource: ResourceJson;
  readonly revision: string;
}

interface StoredUser {
  readonly generation: string;
  readonly resource: ResourceJson;
}

export async function findUser(store: Store, name: string): Promise<UserRecord | undefined> {
  const entry = await store.get(keys.user(name));
  return entry === undefined ? undefined : readUser(entry);
}

export function readUser(entry: Entry): UserRecord {
  const { generation, resource } = JSON.parse(entry.value) as StoredUser;
  const roles = resource.spec['roles'] as readonly string[] | undefined;
  const traits = (resource.spec['traits'] ?? {}) as Readonly<Record<string, readonly string[] | null>>;
  const present = Object.fromEntries(Object.entries(traits).map(([name, values]) => [name, values ?? []]));
  return { name: resource.metadata.name, roles: roles ?? [], traits: present, generation, resource, revision: entry.revision };
}

export function userValue(user: StoredUser): string {
  return JSON.stringify({ generation: user.generation, resource: user.resource } satisfies StoredUser);
}

export function newGeneration(): string {
  return randomUUID();
}

export function userResource(user: { readonly name: string; readonly roles: readonly string[]; readonly traits: Traits }): ResourceJson {
  return { kind: 'user', version: 'v2', metadata: { name: user.name }, spec: { roles: user.roles, traits: user.traits } };
}
