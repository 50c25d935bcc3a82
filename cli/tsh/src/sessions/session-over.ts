import type { SignedIn } from '@postern/profile/signed-in';
import { messageOf } from '@postern/terminal/run-program';
import { AgentChannel } from '#sessions/agent-channel.ts';
import { shown } from '#sessions/resource-kind.ts';
import { ResourceSession } from '#sessions/resource-session.ts';
import { issueGrant, type SessionGrant } from '#sessions/session-grant.ts';

export interface SessionOverOptions {
  /** A line for the person. */
  readonly notice: (line: string) => void;
  /** A newer certificate, with the agents of now: for whoever keeps it. */
  readonly onRenewed?: (grant: SessionGrant) => void;
}

/** A session of the person who is signed in, that renews itself for as long as the login lasts. The caller closes it. */
export function sessionOver(who: SignedIn, first: SessionGrant, { notice, onRenewed }: SessionOverOptions): ResourceSession {
  const { proxy, cluster, validUntilMs } = who.profile;
  return new ResourceSession(first, {
    issue: async () => {
      const grant = await issueGrant(who, first);
      onRenewed?.(grant);
      return grant;
    },
    open: (grant) => new AgentChannel({ proxy, cluster, grant }),
    loginUntilMs: validUntilMs,
    nowMs: Date.now,
    onRenewalFailed: (error) => notice(`cannot renew the certificate for ${shown(first)}: ${messageOf(error)}`),
  });
}
