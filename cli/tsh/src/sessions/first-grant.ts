import type { SignedIn } from '@postern/profile/signed-in';
import { warn } from '@postern/terminal/output';
import { type AskedSession, issueGrant, type SessionGrant } from '#sessions/session-grant.ts';
import { isAway } from '#sessions/is-away.ts';

const loginCommand = { db: 'tsh db login', app: 'tsh apps login' } as const;

/** A certificate of an earlier login to the resource serves while auth cannot be asked. */
export async function firstGrant(who: SignedIn, asked: AskedSession, kept: SessionGrant | undefined): Promise<SessionGrant> {
  try {
    return await issueGrant(who, asked);
  } catch (error) {
    if (!isAway(error) || kept?.principal !== asked.principal || kept.validUntilMs <= Date.now()) throw error;
    warn(`${error.message}: going on with the certificate of an earlier ${loginCommand[asked.kind]}`);
    return kept;
  }
}
