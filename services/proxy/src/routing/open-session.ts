import type { Duplex } from 'node:stream';
import { PosternError } from '@postern/api';
import type { DialOptions, ReverseTunnelServer } from '@postern/tunnel';
import { isAboutAgent, type Peers } from '#peering/peers.ts';
import type { AgentDirectory } from '#routing/agent-directory.ts';
import type { RouteKeys } from '#routing/route-keys.ts';

export interface SessionRouting {
  readonly routeKeys: RouteKeys;
  readonly directory: AgentDirectory;
  readonly tunnels: Pick<ReverseTunnelServer, 'dial' | 'attachedAgents'>;
  readonly peers: Pick<Peers, 'knows' | 'routesTo'>;
  readonly isLocked: (agentId: string) => boolean;
}

export interface OpenedSession {
  readonly stream: Duplex;
  readonly agentId: string;
  /** Where the agent is attached to another proxy. */
  readonly viaProxyId?: string;
}

/** All dials of one connection together, so that a client hears of a failure before it gives up itself. */
const TOTAL_MS = 5_000;
/** While another way is left to try, one that does not answer is not waited for longer. */
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
  const { clientAddress, head } = request;
  const deadline = AbortSignal.timeout(TOTAL_MS);
  const silentProxies = new Set<string>();
  const attempts = attemptsFor(routing, resourceId);
  let last: unknown;
  for (let next = attempts.next(); !next.done && !deadline.aborted && !request.signal.aborted; ) {
    const { agentId, viaProxyId, dial } = next.value;
    next = attempts.next();
    if (viaProxyId !== undefined && silentProxies.has(viaProxyId)) continue;
    const signal = AbortSignal.any([request.signal, deadline, ...(next.done ? [] : [AbortSignal.timeout(FIRST_TRIES_MS)])]);
    try {
      const stream = await dial({ agentId, resourceId, clientAddress, head, signal });
      routing.directory.reportSuccess(agentId);
      return { stream, agentId, ...(viaProxyId === undefined ? {} : { viaProxyId }) };
    } catch (error) {
      if (!isAboutAgent(error)) continue;
      // A client that hung up says nothing about the agent.
      if (!request.signal.aborted) routing.directory.reportFailure(agentId);
      if (viaProxyId !== undefined && signal.aborted) silentProxies.add(viaProxyId);
      last = error;
    }
  }
  if (last === undefined && !request.signal.aborted)
    throw new PosternError('unavailable', 'no agent that serves this resource is attached to this proxy or to one that it reaches');
  throw new PosternError('unavailable', 'no agent that serves this resource answered', { cause: last });
}

interface Attempt {
  readonly agentId: string;
  readonly viaProxyId?: string;
  readonly dial: (options: DialOptions) => Promise<Duplex>;
}

/** Agents that are attached here; then, over the other proxies, those that are not. Drawn one by one: mostly the first will do. */
function* attemptsFor({ directory, tunnels, peers, isLocked }: SessionRouting, resourceId: Buffer): Generator<Attempt, void, undefined> {
  const attached = new Set(tunnels.attachedAgents());
  const agents = directory.agentsFor(resourceId).filter((agentId) => !isLocked(agentId));
  for (const agentId of agents) if (attached.has(agentId)) yield { agentId, dial: (options) => tunnels.dial(options) };
  const elsewhere = agents.filter((agentId) => !attached.has(agentId));
  // Found lately before those that may be attached nowhere: auth lists an agent for some minutes after it is gone.
  for (const agentId of elsewhere.toSorted((a, b) => Number(peers.knows(b)) - Number(peers.knows(a))))
    for (const { proxyId, dial } of peers.routesTo(agentId)) yield { agentId, viaProxyId: proxyId, dial };
}
