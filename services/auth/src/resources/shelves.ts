import { lockShelf } from '#resources/lock-shelf.ts';
import { authPreferenceShelf, dynamicShelf, endedSessionShelf, proxyShelf, serverShelf } from '#resources/plain-shelves.ts';
import { roleShelf } from '#resources/role-shelf.ts';
import type { Shelf } from '#resources/shelf.ts';
import { tokenShelf } from '#resources/token-shelf.ts';
import { type UserShelfDeps, userShelf } from '#resources/user-shelf.ts';

/** Every kind of resource that lies in the store, by kind; the authorities are shown apart, as nobody writes them. */
export function openShelves(deps: UserShelfDeps): ReadonlyMap<string, Shelf> {
  const { store, nowMs } = deps;
  const shelves = [
    roleShelf(deps),
    userShelf(deps),
    lockShelf(deps),
    tokenShelf(deps),
    dynamicShelf({ kind: 'db', store, nowMs }),
    dynamicShelf({ kind: 'app', store, nowMs }),
    serverShelf({ kind: 'db', store }),
    serverShelf({ kind: 'app', store }),
    proxyShelf(),
    endedSessionShelf(),
    authPreferenceShelf(store),
  ];
  return new Map(shelves.map((shelf) => [shelf.kind, shelf]));
}
