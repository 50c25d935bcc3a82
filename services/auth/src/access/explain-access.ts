import { PosternError } from '@postern/api';
import { decide } from '@postern/rbac';
import { compile, may, type Person, type PersonDeps, requireMay } from '#administration/person.ts';
import { accessRequest } from '#certs/issue-session-cert.ts';
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
    throw new PosternError('bad_request', `resource kind ${JSON.stringify(asked.kind.slice(0, 32))}: use db`);
  const user = await findUser(deps.store, asked.user);
  if (user === undefined) throw new PosternError('not_found', `no user ${asked.user}: tctl get users lists them`);
  const lock = await findLock(deps, { user: user.name, roles: user.roles });
  if (lock !== undefined) return { allowed: false, decision: lockedBy(lock).message, steps: [] };
  const subject = compile(user, await deps.roles.load(user.roles));
  const [server] = await findServers(deps.store, asked.kind, asked.name);
  // Whoever may not read roles is told no more of a resource than that he may use it.
  const isSeen = server !== undefined && (may(person, 'role', 'read') || decide(subject, visibility(server)).allowed);
  if (server === undefined || !isSeen) {
    throw new PosternError('not_found', `no agent serves ${asked.kind}/${asked.name} now: tctl db ls lists what is served`);
  }
  const request = asked.principal === '' ? visibility(server) : accessRequest(server, asked.principal);
  const decision = decide(subject, request);
  const host = await findLock(deps, { hostId: server.hostId });
  const steps = host === undefined ? decision.steps : [...decision.steps, `agent ${server.hostId}: ${lockedBy(host).message}`];
  return { allowed: decision.allowed, decision: decision.reason, steps };
}

function visibility({ kind, name, labels }: ServedResource) {
  return { kind, name, labels };
}
