import { PosternError } from '@postern/api';
import type { Store } from '@postern/store';
import type { SignedInUser } from '#administration/person.ts';
import { SESSION_KEPT_MS, type SessionRecord } from '#certs/issue-session-cert.ts';
import { keys } from '#state/keys.ts';
import type { Trail } from '#trail/act.ts';

export interface EndSessionDeps {
  readonly store: Store;
  readonly trail: Trail;
  readonly nowMs: () => number;
}

/**
 * A person ends a session of his own, as by tsh apps logout: a copy of its certificate is worth nothing from then on. Agents hear of the id by
 * their watch, and it is kept for as long as the certificate would have lasted.
 */
export async function endSession(
  deps: EndSessionDeps,
  { person, sessionId }: { readonly person: SignedInUser; readonly sessionId: string },
): Promise<void> {
  const { store, trail, nowMs } = deps;
  const entry = await store.get(keys.session(sessionId));
  const record = entry === undefined ? undefined : (JSON.parse(entry.value) as SessionRecord);
  // One answer for a session that is not there and one that is somebody else's.
  if (record?.user !== person.name) throw new PosternError('not_found', `you have no session ${JSON.stringify(sessionId.slice(0, 64))}`);
  const { resourceKind, resourceName } = record;
  // The record outlives its certificate by as much.
  const notAfterMs = (entry?.expiresMs ?? 0) - SESSION_KEPT_MS;
  const known = await store.get(keys.endedSession(sessionId));
  if (notAfterMs <= nowMs() || known !== undefined) return;
  await trail.record({
    kind: 'session.logout',
    code: 'T2016I',
    user: person.name,
    resource: `${resourceKind}/${resourceName}`,
    sessionId,
    fields: { 'addr.remote': person.address },
  });
  const resource = { kind: 'ended_session', version: 'v1', metadata: { name: sessionId }, spec: { user: person.name } };
  await store.put(keys.endedSession(sessionId), JSON.stringify(resource), { expiresMs: notAfterMs });
}
