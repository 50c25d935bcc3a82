import { PosternError } from '@postern/api';
import { parseResource, ResourceError } from '@postern/resources';
import type { Entry, Operation, Store } from '@postern/store';
import { may, type Person, requireMay } from '#administration/person.ts';
import type { PlannedWrite, Shelf, ShownResource } from '#resources/shelf.ts';
import type { ResourceJson } from '#resources/stored-resource.ts';
import { isLostRace } from '#state/change-entry.ts';
import type { Act, Trail } from '#trail/act.ts';

export interface WriteDeps {
  readonly store: Store;
  readonly trail: Trail;
  readonly shelves: ReadonlyMap<string, Shelf>;
}
export interface Write {
  readonly person: Person;
  readonly kind: string;
  readonly json: Buffer;
  /** `create` fails where it exists, `update` where it is not the revision that was read, `put` does what is needed. */
  readonly mode: 'create' | 'put' | 'update';
}
export interface Written {
  readonly shown: ShownResource;
  readonly created: boolean;
}

const MAX_TRIES = 20;

export async function writeResource(deps: WriteDeps, write: Write): Promise<Written> {
  const { shelf, resource } = readWrite(deps, write);
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const written = await tryWrite(deps, { ...write, shelf, resource });
    if (written !== 'lost race') return written;
  }
  throw new PosternError('conflict', `${write.kind} ${resource.metadata.name} is being changed by others at once: try again`);
}

function readWrite(deps: WriteDeps, write: Write): { shelf: Shelf; resource: ResourceJson } {
  const { person, mode, kind } = write;
  const shelf = deps.shelves.get(kind);
  if (shelf?.writing === undefined)
    throw new PosternError('bad_request', `resources of kind ${JSON.stringify(kind.slice(0, 40))} cannot be written`);
  // Before anything is read: whoever may write nothing of a kind learns nothing of it either.
  if (mode === 'create') requireMay(person, kind, 'create');
  else if (mode === 'update' || !may(person, kind, 'create')) requireMay(person, kind, 'update');
  const resource = parse(write.json);
  if (resource.kind !== kind) throw new PosternError('bad_request', `the resource is of kind ${resource.kind}, and ${kind} was asked for`);
  return { shelf, resource };
}

/** Strict, as for a file: what auth does not know is refused, not dropped. */
function parse(json: Buffer): ResourceJson {
  let value: unknown;
  try {
    value = JSON.parse(json.toString('utf8'));
  } catch {
    throw new PosternError('bad_request', 'the resource is not valid JSON');
  }
  try {
    return parseResource(value) as unknown as ResourceJson;
  } catch (error) {
    if (error instanceof ResourceError) throw new PosternError('bad_request', error.message);
    throw error;
  }
}

async function tryWrite(deps: WriteDeps, write: Write & { shelf: Shelf; resource: ResourceJson }): Promise<Written | 'lost race'> {
  const { shelf, resource, person, mode } = write;
  const { writing } = shelf;
  if (writing === undefined) throw new PosternError('internal', `${shelf.kind} cannot be written`);
  const key = writing.keyOf(resource.metadata.name);
  const current = await deps.store.get(key);
  requireExpected({ mode, resource, current, person });
  const plan = await writing.plan({ resource, current, person });
  const operations = [operationOf({ key, plan, current }), ...plan.with];
  const [kind, code] = current === undefined ? shelf.acts.create : shelf.acts.update;
  const act: Act = {
    kind,
    code,
    user: person.name,
    resource: `${shelf.kind}/${plan.recordedAs}`,
    fields: { name: plan.recordedAs, ...plan.fields, 'addr.remote': person.address },
  };
  await deps.trail.record(act);
  try {
    const [entry] = await deps.store.atomically(operations);
    const shown = entry === undefined ? undefined : shelf.show(entry);
    if (shown === undefined) throw new PosternError('internal', `${shelf.kind} ${plan.recordedAs} cannot be read back`);
    return { shown, created: current === undefined };
  } catch (error) {
    await recordNotDone(deps.trail, act, error);
    if (!isLostRace(error)) throw error;
    if (mode === 'create') throw exists(resource);
    if (mode === 'update' || resource.metadata.revision !== undefined) throw changed(resource);
    return 'lost race';
  }
}

/** The log says what auth was about to do; where it then could not, the log says that too. */
export async function recordNotDone(trail: Trail, act: Act, error: unknown): Promise<void> {
  const reason = isLostRace(error) ? 'changed by another writer at the same time' : 'the store refused the write';
  await trail.record({ ...act, success: false, fields: { ...act.fields, error: reason } });
}

function requireExpected(found: { mode: Write['mode']; resource: ResourceJson; current: Entry | undefined; person: Person }): void {
  const { mode, resource, current, person } = found;
  const { revision } = resource.metadata;
  if (mode === 'put') requireMay(person, resource.kind, current === undefined ? 'create' : 'update');
  if (mode === 'create' && current !== undefined) throw exists(resource);
  if (mode === 'update') {
    if (current === undefined) throw new PosternError('not_found', `${resource.kind} ${resource.metadata.name} does not exist`);
    if (revision === undefined)
      throw new PosternError('bad_request', `${resource.kind} ${resource.metadata.name}: metadata.revision is missing: get it first`);
  }
  // A file that carries a revision says what it was made from: it replaces that and nothing newer.
  if (mode !== 'create' && revision !== undefined && current !== undefined && current.revision !== revision) throw changed(resource);
}

function operationOf(of: { readonly key: string; readonly plan: PlannedWrite; readonly current: Entry | undefined }): Operation {
  const { key, current } = of;
  const { value, expiresMs } = of.plan;
  const expiry = expiresMs === undefined ? {} : { expiresMs };
  return current === undefined
    ? { kind: 'create', key, value, ...expiry }
    : { kind: 'update', key, value, expectedRevision: current.revision, ...expiry };
}

function exists(resource: ResourceJson): PosternError {
  const name = resource.kind === 'token' ? 'this token' : `${resource.kind} ${resource.metadata.name}`;
  return new PosternError('already_exists', `${name} exists already: tctl create -f replaces it`);
}

function changed(resource: ResourceJson): PosternError {
  return new PosternError(
    'conflict',
    `${resource.kind} ${resource.metadata.name} has changed since it was read: get it again and repeat the edit`,
  );
}
