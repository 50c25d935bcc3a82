import { PosternError } from '@postern/api';
import type { Entry } from '@postern/store';
import { type Person, requireMay } from '#administration/person.ts';
import { recordNotDone, type WriteDeps } from '#resources/write-resource.ts';
import { isLostRace } from '#state/change-entry.ts';
import { keys } from '#state/keys.ts';
import type { Act } from '#trail/act.ts';

export async function deleteResource(
  deps: WriteDeps,
  removal: { readonly person: Person; readonly kind: string; readonly name: string },
): Promise<void> {
  const { person, kind, name } = removal;
  const shelf = deps.shelves.get(kind);
  if (shelf?.planDelete === undefined)
    throw new PosternError('bad_request', `resources of kind ${JSON.stringify(kind.slice(0, 40))} cannot be removed`);
  requireMay(person, kind, 'delete');
  const entries = await findEntries(deps, kind, name);
  if (entries.length === 0)
    throw new PosternError(
      'not_found',
      `${kind} ${JSON.stringify(name.slice(0, 80))} does not exist: tctl get ${kind} lists those that do`,
    );
  for (const entry of entries) {
    const also = await shelf.planDelete({ entry, person });
    const recordedAs = shelf.show(entry)?.name ?? name;
    const [actKind, code] = shelf.acts.delete;
    const act: Act = {
      kind: actKind,
      code,
      user: person.name,
      resource: `${kind}/${recordedAs}`,
      fields: { name: recordedAs, 'addr.remote': person.address },
    };
    await deps.trail.record(act);
    try {
      await deps.store.atomically([{ kind: 'delete', key: entry.key, expectedRevision: entry.revision }, ...also]);
    } catch (error) {
      await recordNotDone(deps.trail, act, error);
      if (isLostRace(error)) throw new PosternError('conflict', `${kind} ${recordedAs} was changed at the same time: try again`);
      throw error;
    }
  }
}

/** Usually one; a served resource has an entry for each host that serves it. */
export async function findEntries(deps: Pick<WriteDeps, 'store' | 'shelves'>, kind: string, name: string): Promise<readonly Entry[]> {
  const shelf = deps.shelves.get(kind);
  if (shelf === undefined) return [];
  if (shelf.find !== undefined) return shelf.find(name);
  const key = shelf.writing === undefined ? keys.proxy(name) : shelf.writing.keyOf(name);
  const entry = await deps.store.get(key);
  return entry === undefined ? [] : [entry];
}
