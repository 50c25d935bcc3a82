export {
  Authorizer,
  type Certified,
  type Refused,
  STALE_CEILING_MS,
  type Standing,
  STRICT_STALE_MS,
  type Verdict,
} from '#authorise/authorizer.ts';
export { PolicyView } from '#authorise/policy-view.ts';
export type { ServedResource } from '#presence/served-resource.ts';
export type { LiveSession } from '#session/live-session.ts';
export type { RefusedConnection } from '#session/open-sessions.ts';
export type { SessionConnection } from '#session/session-server.ts';
export { type Spool, type SpoolEvent, SpoolFull, type SpoolStats, SpoolUnavailable } from '#spool/spool.ts';
