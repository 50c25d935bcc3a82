import { randomUUID } from 'node:crypto';
import { type HostIdentity, PosternError } from '@postern/api';
import { readPublicKey } from '@postern/pki';
import type { Store } from '@postern/store';
import type { Authorities } from '#authorities/authorities.ts';
import { issueHostCert } from '#certs/issue-host-cert.ts';
import type { HostRecord } from '#hosts/host-record.ts';
import { requireHostWords } from '#hosts/host-words.ts';
import type { JoinLimits } from '#join/join-limits.ts';
import { findLock } from '#locks/locks.ts';
import { keys } from '#state/keys.ts';
import { hashToken, isJoinRole, type TokenRecord, tokenId } from '#tokens/token.ts';
import { useToken } from '#tokens/use-token.ts';
import type { Trail } from '#trail/act.ts';

export interface JoinDeps {
  readonly store: Store;
  readonly trail: Trail;
  readonly authorities: Authorities;
  readonly staticTokens: ReadonlyMap<string, TokenRecord>;
  readonly limits: JoinLimits;
  readonly nowMs: () => number;
}

export interface JoinAttempt {
  readonly token: string;
  readonly role: string;
  readonly nodeName: string;
  readonly version: string;
  readonly publicKey: Buffer;
  readonly address: string;
}

const MAX_TOKEN_LENGTH = 512;

/**
 * Lets a host in. Its id is chosen here, its role and what it may announce come from the token. Whoever is refused hears
 * one text for every cause; the cause is in the audit log.
 */
export async function joinHost(deps: JoinDeps, attempt: JoinAttempt): Promise<HostIdentity> {
  readPublicKey(attempt.publicKey);
  requireHostWords(attempt);
  const { role } = attempt;
  if (!isJoinRole(role)) return refuse(deps, attempt, { cause: `no such role: ${role}` });
  if (attempt.token.length > MAX_TOKEN_LENGTH) return refuse(deps, attempt, { cause: 'the token is too long to be one' });
  const lock = await findLock(deps, { tokenId: tokenId(hashToken(attempt.token)) });
  if (lock !== undefined) return refuse(deps, attempt, { cause: `lock ${lock.name} is in force on the token` });
  const hostId = randomUUID();
  const use = await useToken(deps, {
    token: attempt.token,
    role,
    effect: (token) => {
      const record: HostRecord = {
        id: hostId,
        role,
        nodeName: attempt.nodeName,
        tokenId: token.id,
        boundNames: token.boundNames,
        ...(token.bindsAnyName === true ? { bindsAnyName: true } : {}),
        boundLabels: token.labels,
        joinedMs: deps.nowMs(),
      };
      return { kind: 'create', key: keys.host(hostId), value: JSON.stringify(record) };
    },
  });
  if (!use.ok) return refuse(deps, attempt, { cause: use.cause, ...(use.token === undefined ? {} : { tokenId: use.token.id }) });
  const issued = await issueHostCert(deps, { hostId, role, publicKey: attempt.publicKey });
  try {
    await deps.trail.record({
      kind: 'instance.join',
      code: 'TJ002I',
      user: hostId,
      resource: `host/${hostId}`,
      fields: {
        ...aboutAttempt(attempt),
        host_id: hostId,
        method: 'token',
        token_name: use.token.masked,
        token_id: use.token.id,
        serial: issued.serial,
      },
    });
  } catch (error) {
    // The certificate is not handed out: without its record the join did not happen.
    await deps.store.delete(keys.host(hostId)).catch(() => false);
    throw error;
  }
  return issued;
}

async function refuse(deps: JoinDeps, attempt: JoinAttempt, why: { readonly cause: string; readonly tokenId?: string }): Promise<never> {
  const verdict = deps.limits.countFailure(attempt.address, deps.nowMs());
  if (verdict.isRecorded) {
    await deps.trail.record({
      kind: 'instance.join',
      code: 'TJ002E',
      success: false,
      user: '',
      fields: {
        ...aboutAttempt(attempt),
        method: 'token',
        error: why.cause,
        ...(why.tokenId === undefined ? {} : { token_id: why.tokenId }),
        ...(verdict.unrecordedBefore === 0 ? {} : { refusals_not_recorded: verdict.unrecordedBefore }),
      },
    });
  }
  if (!verdict.isWithinLimit) throw new PosternError('limit_exceeded', 'too many failed joins from this address: try again in a minute');
  const message = `the host cannot join with role ${JSON.stringify(attempt.role.slice(0, 32))}: the token is not valid`;
  throw new PosternError('denied', message, { isRecorded: true });
}

function aboutAttempt(attempt: JoinAttempt): Record<string, unknown> {
  const { nodeName, role, version, address } = attempt;
  return { node_name: nodeName, role, version, 'addr.remote': address };
}
