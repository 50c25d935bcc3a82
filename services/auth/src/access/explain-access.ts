import { PosternError } from '@postern/api';
import type { CompiledSubject, Decision } from '@postern/rbac';
import { compile, may, type Person, type PersonDeps, requireMay } from '#administration/person.ts';
import { decidePrincipal, decideSight } from '#certs/decide-principal.ts';
import { findPrincipal } from '#certs/find-principal.ts';
import { findLock, lockedBy } from '#locks/locks.ts';
import { findServers, type ServedResource } from '#presence/served-resource.ts';
import { findUser } from '#users/user-record.ts';

export interface Explanation {
  readonly allowed: boolean;
  readonly decision: string;
  readonly steps: readonly string[];
}

/** What would be decided for a user now, by the code that decides. Oneself may always be asked about; others need to read users and roles. */
export async function explainAccess(
  deps: PersonDeps,
  person: Person,
  asked: { readonly user: string; readonly kind: string; readonly name: string; readonly principal: string },
): Promise<Explanation> {
  const isOwn = person.kind === 'user' && asked.user === person.name;
  if (!isOwn) {
    requireMay(person, 'user', 'read');
    requireMay(person, 'role', 'read');
  }
  if (asked.kind !== 'db' && asked.kind !== 'app')
    throw new PosternError('bad_request', `resource kind ${JSON.stringify(asked.kind.slice(0, 32))}: use db or app`);
  const user = await findUser(deps.store, asked.user);
  if (user === undefined) throw new PosternError('not_found', `no user ${asked.user}: tctl get users lists them`);
  const lock = await findLock(deps, { user: user.name, roles: user.roles });
  if (lock !== undefined) return { allowed: false, decision: lockedBy(lock).message, steps: [] };
  const subject = compile(user, await deps.roles.load(user.roles));
  const [server] = await findServers(deps.store, asked.kind, asked.name);
  // Whoever may not read roles is told no more of a resource than that he may use it.
  const isSeen = server !== undefined && (may(person, 'role', 'read') || decideSight(subject, server).allowed);
  if (server === undefined || !isSeen) {
    throw new PosternError(
      'not_found',
      `no agent serves ${asked.kind}/${asked.name} now: tctl ${asked.kind === 'app' ? 'apps' : 'db'} ls lists what is served`,
    );
  }
  const decision = asked.principal === '' ? decideSight(subject, server) : decideAs(subject, server, asked.principal);
  const host = await findLock(deps, { hostId: server.hostId });
  const steps = host === undefined ? decision.steps : [...decision.steps, `agent ${server.hostId}: ${lockedBy(host).message}`];
  return { allowed: decision.allowed, decision: decision.reason, steps };
}

/** A name that means no role is an answer as well. */
function decideAs(subject: CompiledSubject, server: ServedResource, asked: string): Decision {
  const found = findPrincipal(subject, server, asked);
  if ('refusal' in found) return { allowed: false, reason: found.refusal, steps: [] };
  return decidePrincipal(subject, server, found.principal);
}
