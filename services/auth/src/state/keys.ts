import { createHash } from 'node:crypto';
import { PosternError } from '@postern/api';

/** Where each thing lives in the store. A segment that comes from outside passes `segment` first. */
export const keys = {
  cluster: 'cluster/marker',
  authority: (kind: 'host' | 'user') => `authorities/${kind}`,
  routeKeys: 'route_keys/current',
  authPreference: 'auth_preference/current',
  role: (name: string) => `roles/${segment(name)}`,
  user: (name: string) => `users/${segment(name)}`,
  password: (name: string) => `passwords/${segment(name)}`,
  /** Hashed: the name comes from anybody, and unknown names are counted like known ones. */
  attempts: (canonicalName: string) => `sign_in_attempts/${sha256Hex(canonicalName)}`,
  token: (hash: string) => `tokens/${segment(hash)}`,
  host: (id: string) => `hosts/${segment(id)}`,
  lock: (name: string) => `locks/${segment(name)}`,
  resource: (kind: 'db' | 'app', name: string) => `${kind === 'db' ? 'databases' : 'apps'}/${segment(name)}`,
  server: (kind: 'db' | 'app', name: string, hostId: string) => `${kind}_servers/${segment(name)}/${segment(hostId)}`,
  serverName: (kind: 'db' | 'app', name: string) => `${kind}_server_names/${segment(name)}`,
  /** The names that a host announced last, so that the next announcement need not search all servers. */
  announced: (hostId: string) => `announced/${segment(hostId)}`,
  proxy: (id: string) => `proxies/${segment(id)}`,
  /** How far the audit log of one auth server goes. */
  auditAnchor: (hostId: string) => `audit_anchors/${segment(hostId)}`,
  session: (id: string) => `sessions/${segment(id)}`,
  /** Until its certificate would have expired. */
  endedSession: (id: string) => `ended_sessions/${segment(id)}`,
} as const;

const MAX_SEGMENT_LENGTH = 256;

/** One part of a key. What cannot be a name cannot exist, so the answer is the one for an unknown name. */
export function segment(name: string): string {
  if (name === '' || name.length > MAX_SEGMENT_LENGTH || name.includes('/') || hasControlCharacter(name) || !name.isWellFormed()) {
    throw new PosternError('not_found', `no such name: ${JSON.stringify(name.slice(0, 64))}`);
  }
  return name;
}

/** What drives a terminal or hides in a name, and the character that the stores keep for themselves as the end of a range. */
function hasControlCharacter(text: string): boolean {
  return /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u{10FFFF}]/u.test(text);
}

export function sha256Hex(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}
