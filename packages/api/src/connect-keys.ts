/** What tsh says of a local connection in the metadata of `AgentSession.Connect` (docs/decisions/0007-aws-applications.md, 0010-event-streams.md). */
export const CONNECT_KEYS = {
  localPort: 'postern-local-port',
  localKey: 'postern-local-key',
  connectHost: 'postern-connect-host',
  tunnelHost: 'postern-tunnel-host',
  protocol: 'postern-protocol',
} as const;
/** What CONNECT_KEYS.protocol may say; HTTP/1.1 where it says nothing. */
export const HTTP2 = 'h2';
export type ConnectKey = (typeof CONNECT_KEYS)[keyof typeof CONNECT_KEYS];
