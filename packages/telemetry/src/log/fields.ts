/**
 * Every field that may stand in a log line. A field that is not here is left out and counted, whatever it holds: a secret
 * can then only be logged by adding its name to this list, which a reviewer sees. Never add: token, password, key, ticket,
 * url, query, headers, body, serverName (it holds the route ticket).
 */
export const loggableFields = [
  // where
  'service',
  'component',
  'cluster',
  'nodeName',
  'hostId',
  'agentId',
  'proxyId',
  'pid',
  'version',
  'peerVersion',
  // who
  'user',
  'identityKind',
  'roles',
  'principal',
  'sessionId',
  'generation',
  'serial',
  'tokenId',
  'lockId',
  // what
  'kind',
  'name',
  'resource',
  'database',
  'app',
  'table',
  'tables',
  'operation',
  'method',
  'awsService',
  'awsRegion',
  'awsAccountId',
  'awsRequestId',
  'requestId',
  'connectionId',
  'dialId',
  'eventId',
  'eventKind',
  'segment',
  'revision',
  'rule',
  'role',
  'action',
  'labels',
  // addresses, always of sockets or from configuration
  'address',
  'clientAddress',
  'peerAddress',
  'listenAddress',
  'publicAddress',
  'host',
  'port',
  'proxyAddress',
  'authAddress',
  // outcome
  'status',
  'code',
  'grpcStatus',
  'reason',
  'outcome',
  'err',
  'signal',
  'exitCode',
  'state',
  'phase',
  'decision',
  // numbers
  'count',
  'attempt',
  'limit',
  'bytes',
  'bytesIn',
  'bytesOut',
  'queued',
  'dropped',
  'open',
  'uses',
  'line',
  'column',
  'events',
  'connections',
  'streams',
  'durationMs',
  'delayMs',
  'waitMs',
  'ageMs',
  'ttlMs',
  'expiresMs',
  'notAfterMs',
  'validUntilMs',
  'staleMs',
  'lifetimeMs',
  // files named in the configuration
  'file',
  'dir',
  'dataDir',
  'pins',
] as const;

export type LogField = (typeof loggableFields)[number];
export type LogFields = { readonly [Field in LogField]?: unknown };

const allowed: ReadonlySet<string> = new Set(loggableFields);
const MAX_STRING_LENGTH = 2048;
const MAX_LIST_LENGTH = 32;
const MAX_STACK_LINES = 12;
const MAX_CAUSES = 4;

/** What may be written of `fields`. Objects are not descended into: their keys are on no list. */
export function loggable(fields: object): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  let omitted = 0;
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const written = allowed.has(name) ? (name === 'err' ? loggableError(value, 0) : loggableValue(value)) : undefined;
    if (written === undefined) omitted += 1;
    else kept[name] = written;
  }
  if (omitted > 0) kept.omittedFields = omitted;
  return kept;
}

function loggableValue(value: unknown): unknown {
  if (typeof value === 'string') return scrub(value);
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return value;
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value))
    return value
      .slice(0, MAX_LIST_LENGTH)
      .map((item: unknown) => (Array.isArray(item) ? undefined : loggableValue(item)))
      .filter((item) => item !== undefined);
  return undefined;
}

/** Name, code, message, stack and causes; other properties of an error (a client's request, say) are not written. */
function loggableError(value: unknown, depth: number): unknown {
  if (!(value instanceof Error)) return typeof value === 'string' ? scrub(value) : undefined;
  const code: unknown = 'code' in value ? value.code : undefined;
  const stack = value.stack
    ?.split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, MAX_STACK_LINES)
    .map((line) => line.trim());
  return {
    name: scrub(value.name),
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    message: scrub(value.message),
    ...(stack && stack.length > 0 ? { stack } : {}),
    ...(value.cause instanceof Error && depth < MAX_CAUSES ? { cause: loggableError(value.cause, depth + 1) } : {}),
  };
}

/** A second line of defence for texts that other programs wrote: the list of fields is the first. */
const secrets: readonly [RegExp, string][] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[^]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g, '[private key]'],
  [
    /\b(x-amz-(?:security-token|signature|credential)|signintoken|sessionkey|sessiontoken|secretaccesskey|auth_token|password|passwd|secret|token)(["']?\s*[=:]\s*["']?)[^\s"'&,;]+/gi,
    '$1$2[removed]',
  ],
  [/\b(bearer|basic)\s+[\w+/.~=-]{8,}/gi, '$1 [removed]'],
  [/\b[a-z2-7]{58}(?=\.session\.)/g, '[ticket]'],
  [/(:\/\/[^\s:@/]*:)[^\s@/]+@/g, '$1[removed]@'],
];

export function scrub(text: string): string {
  let clean = text.length > MAX_STRING_LENGTH ? `${text.slice(0, MAX_STRING_LENGTH)}… (${text.length} characters)` : text;
  for (const [pattern, replacement] of secrets) clean = clean.replace(pattern, replacement);
  return clean;
}
