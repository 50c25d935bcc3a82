export type { Refused, Standing } from '#authorise/authorizer.ts';
export type { HostMaterial, Membership, WatchListener } from '#membership/membership.ts';
export type { ServedResource } from '#presence/served-resource.ts';
export { LiveSession, type LiveSessionFacts } from '#session/live-session.ts';
export type { RefusedConnection } from '#session/open-sessions.ts';
export type { SessionConnection } from '#session/session-server.ts';
export { openSpool } from '#spool/open-spool.ts';
export { type Spool, type SpoolEvent, SpoolFull, type SpoolOptions, type SpoolStats, SpoolUnavailable } from '#spool/spool.ts';
export { type AgentParts, type AgentService, startAgent, type StartAgentOptions, type StartedAgent } from '#start-agent.ts';
