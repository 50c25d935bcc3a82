import { randomUUID } from 'node:crypto';
import { type IdentifiedCaller, Identity_Kind, PosternError } from '@postern/api';
import { issueCertificate } from '@postern/pki';
import { sessionTtlMs } from '@postern/rbac';
import type { PersonDeps, SignedInUser } from '#administration/person.ts';
import type { Authorities } from '#authorities/authorities.ts';
import { userIdentity } from '#certs/issue-user-cert.ts';
import { allowedText, findPrincipal } from '#certs/find-principal.ts';
import { decidePrincipal, decideSight } from '#certs/decide-principal.ts';
import { findLock } from '#locks/locks.ts';
import { findServers, type ServedResource } from '#presence/served-resource.ts';
import { keys } from '#state/keys.ts';
import type { RouteKeys } from '#tickets/route-keys.ts';
import type { Trail } from '#trail/act.ts';

export interface SessionCertDeps extends PersonDeps {
  readonly trail: Trail;
  readonly authorities: Authorities;
  readonly routeKeys: RouteKeys;
  readonly defaultTtlMs: number;
}

export interface SessionCertRequest {
  readonly person: SignedInUser;
  /** The certificate that asks: nothing issued to it outlives it. */
  readonly caller: IdentifiedCaller;
  readonly resourceKind: string;
  readonly resourceName: string;
  readonly principal: string;
  readonly publicKey: Buffer;
  readonly askedTtlMs: number | undefined;
}

export interface IssuedSession {
  readonly certificatePem: string;
  readonly ticket: string;
  readonly agentIds: readonly string[];
  readonly notAfterMs: number;
  readonly protocol: string;
  readonly sessionId: string;
}

/** What auth remembers of a session, so that an agent can only report on sessions that were issued to be served by it. */
export interface SessionRecord {
  readonly user: string;
  /** The only hosts that may serve it, which is what tsh holds the far end against. */
  readonly hostIds: readonly string[];
  readonly resourceKind: 'db' | 'app';
  readonly resourceName: string;
}
/** Reports may come late: an agent's spool waits for auth to come back. */
export const SESSION_KEPT_MS = 48 * 3_600_000;

export async function issueSessionCert(deps: SessionCertDeps, request: SessionCertRequest): Promise<IssuedSession> {
  const { person } = request;
  const kind = requireKind(request.resourceKind);
  const { servers, principal } = await decideServers(deps, { ...request, kind });
  const [server] = servers;
  if (server === undefined) throw notFound(kind, request.resourceName);
  const nowMs = deps.nowMs();
  const ttlMs = sessionTtlMs(person.roles, request.askedTtlMs, deps.defaultTtlMs);
  const sessionId = randomUUID();
  const issued = await issueCertificate({
    authority: deps.authorities.signer('user'),
    identity: {
      ...userIdentity(person.user, deps.authorities.cluster),
      kind: Identity_Kind.SESSION,
      route: { resourceKind: kind, resourceName: server.name, principal },
      sessionId,
      secondFactor: request.caller.identity.secondFactor,
    },
    publicKey: request.publicKey,
    notAfterMs: Math.min(nowMs + ttlMs, request.caller.notAfterMs),
    nowMs,
  });
  const hostIds = servers.map(({ hostId }) => hostId);
  const record: SessionRecord = {
    user: person.name,
    hostIds,
    resourceKind: kind,
    resourceName: server.name,
  };
  await deps.store.create(keys.session(sessionId), JSON.stringify(record), { expiresMs: issued.notAfterMs + SESSION_KEPT_MS });
  await deps.trail.record({
    kind: 'cert.create',
    code: 'TC000I',
    user: person.name,
    resource: `${kind}/${server.name}`,
    sessionId,
    fields: {
      cert_type: 'session',
      serial: issued.serial,
      expires: new Date(issued.notAfterMs).toISOString(),
      route: { resource_kind: kind, resource_name: server.name, principal },
      roles: person.user.roles,
      'addr.remote': person.address,
    },
  });
  return {
    certificatePem: issued.certificatePem,
    ticket: deps.routeKeys.ticketFor({ kind, name: server.name, expiresMs: issued.notAfterMs }),
    agentIds: hostIds,
    notAfterMs: issued.notAfterMs,
    protocol: server.protocol,
    sessionId,
  };
}

/** The hosts through which this user may reach the resource, and the principal as the certificate names it; throws where there is none. */
async function decideServers(
  deps: SessionCertDeps,
  request: SessionCertRequest & { readonly kind: 'db' | 'app' },
): Promise<{ readonly servers: readonly ServedResource[]; readonly principal: string }> {
  const { person, kind } = request;
  const visible: ServedResource[] = [];
  for (const server of await findServers(deps.store, kind, request.resourceName)) {
    const isLocked = (await findLock(deps, { hostId: server.hostId })) !== undefined;
    if (!isLocked && decideSight(person.subject, server).allowed) visible.push(server);
  }
  const [first] = visible;
  // One answer for a resource that is not there and one that this user may not see.
  if (first === undefined) throw notFound(kind, request.resourceName);
  const found = findPrincipal(person.subject, first, request.principal);
  if ('refusal' in found) throw await denied(deps, request, found.refusal);
  const decisions = visible.map((server) => ({ server, decision: decidePrincipal(person.subject, server, found.principal) }));
  const allowed = decisions.filter(({ decision }) => decision.allowed);
  if (allowed.length === 0) {
    const reason = decisions[0]?.decision.reason ?? 'no role allows it';
    throw await denied(deps, request, `${reason}: ${allowedText(person.subject, first)}`);
  }
  return { servers: allowed.map(({ server }) => server), principal: found.principal };
}

async function denied(
  deps: SessionCertDeps,
  request: SessionCertRequest & { readonly kind: string },
  reason: string,
): Promise<PosternError> {
  await recordDenied(deps, request, reason);
  return new PosternError('denied', reason, { isRecorded: true });
}

async function recordDenied(deps: SessionCertDeps, request: SessionCertRequest & { readonly kind: string }, reason: string): Promise<void> {
  await deps.trail.record({
    kind: 'cert.create',
    code: 'TC000E',
    success: false,
    user: request.person.name,
    resource: `${request.kind}/${request.resourceName}`,
    fields: { cert_type: 'session', error: reason, route: { principal: request.principal }, 'addr.remote': request.person.address },
  });
}

function requireKind(kind: string): 'db' | 'app' {
  if (kind === 'db' || kind === 'app') return kind;
  throw new PosternError('bad_request', `resource kind ${JSON.stringify(kind.slice(0, 32))}: use db or app`);
}

function notFound(kind: 'db' | 'app', name: string): PosternError {
  const what = kind === 'db' ? 'database' : 'application';
  return new PosternError(
    'not_found',
    `no ${what} ${JSON.stringify(name.slice(0, 80))} is served to you now: see them with tsh ${kind === 'db' ? 'db' : 'apps'} ls`,
  );
}
