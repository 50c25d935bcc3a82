import { PosternError } from '@postern/api';
import type { Role } from '@postern/rbac';
import { parseResource, roleFromResource } from '@postern/resources';
import type { Store } from '@postern/store';
import { keys } from '#state/keys.ts';

/** Parsing is strict and slow, an entry's revision never comes back: bounded, the oldest leaves first. */
const MAX_CACHED = 1000;

/** Roles by name, as they stand in the store now. A name without a role is a refusal: leaving it out could leave out a deny. */
export class RoleLoader {
  readonly #store: Store;
  readonly #parsed = new Map<string, Role>();

  constructor(store: Store) {
    this.#store = store;
  }

  async load(names: readonly string[]): Promise<readonly Role[]> {
    const roles: Role[] = [];
    for (const name of names) roles.push(await this.#one(name));
    return roles;
  }

  async #one(name: string): Promise<Role> {
    const entry = await this.#store.get(keys.role(name));
    if (entry === undefined) throw new PosternError('denied', `role ${name} does not exist: nothing is decided without it`);
    const cacheKey = `${entry.revision}/${name}`;
    const known = this.#parsed.get(cacheKey);
    if (known !== undefined) return known;
    const resource = parseResource(JSON.parse(entry.value));
    if (resource.kind !== 'role') throw new PosternError('internal', `roles/${name} in the store holds a ${resource.kind}`);
    const role = roleFromResource(resource);
    this.#parsed.set(cacheKey, role);
    if (this.#parsed.size > MAX_CACHED) {
      const oldest = this.#parsed.keys().next();
      if (oldest.done === false) this.#parsed.delete(oldest.value);
    }
    return role;
  }
}
