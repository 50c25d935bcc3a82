/** What tsh says of a local connection in the metadata of `AgentSession.Connect` (docs/decisions/0007-aws-applications.md). */
export const CONNECT_KEYS = {
  localPort: 'postern-local-port',
  localKey: 'postern-local-key',
  connectHost: 'postern-connect-host',
  tunnelHost: 'postern-tunnel-host',
} as const;
export type ConnectKey = (typeof CONNECT_KEYS)[keyof typeof CONNECT_KEYS];
