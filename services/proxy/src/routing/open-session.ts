import type { Duplex } from 'node:stream';
import { PosternError } from '@postern/api';
import type { ReverseTunnelServer } from '@postern/tunnel';
import type { AgentDirectory } from '#routing/agent-directory.ts';
import type { RouteKeys } from '#routing/route-keys.ts';

export interface SessionRouting {
  readonly routeKeys: RouteKeys;
  readonly directory: AgentDirectory;
  readonly tunnels: Pick<ReverseTunnelServer, 'dial' | 'attachedAgents'>;
  readonly isLocked: (agentId: string) => boolean;
}

export interface OpenedSession {
  readonly stream: Duplex;
  readonly agentId: string;
}

/** All dials of one connection together, so that a client hears of a failure before it gives up itself. */
const TOTAL_MS = 5_000;
/** While another agent is left to try, one that does not answer is not waited for longer. */
const FIRST_TRIES_MS = 1_500;

/**
 * From a route ticket to a stream to an agent. Throws `not_found` for a ticket that opens nothing, before anything is
 * dialled, and `unavailable` where no agent of the resource answers.
 */
export async function openSession(
  routing: SessionRouting,
  request: { readonly ticket: string; readonly clientAddress: string; readonly head: Buffer; readonly signal: AbortSignal },
): Promise<OpenedSession> {
  const resourceId = routing.routeKeys.resourceOf(request.ticket);
  if (!resourceId) throw new PosternError('not_found', 'the ticket is expired, forged or unknown');
  const attached = new Set(routing.tunnels.attachedAgents());
  const agents = routing.directory.agentsFor(resourceId).filter((agentId) => attached.has(agentId) && !routing.isLocked(agentId));
  if (agents.length === 0) throw new PosternError('unavailable', 'no agent that serves this resource is attached to this proxy');
  const deadline = AbortSignal.timeout(TOTAL_MS);
  let last: unknown;
  for (const [i, agentId] of agents.entries()) {
    if (deadline.aborted || request.signal.aborted) break;
    const isLast = i === agents.length - 1;
    const signal = AbortSignal.any([request.signal, deadline, ...(isLast ? [] : [AbortSignal.timeout(FIRST_TRIES_MS)])]);
    try {
      const { clientAddress, head } = request;
      const stream = await routing.tunnels.dial({ agentId, resourceId, clientAddress, head, signal });
      routing.directory.reportSuccess(agentId);
      return { stream, agentId };
    } catch (error) {
      // A client that hung up says nothing about the agent.
      if (!request.signal.aborted) routing.directory.reportFailure(agentId);
      last = error;
    }
  }
  throw new PosternError('unavailable', 'no agent that serves this resource answered', { cause: last });
}
