/** A lock as an agent needs it: whom it stops, until when, and what he is told. */
export interface Lock {
  readonly name: string;
  /** As written in `spec.target`; all of its fields must match. */
  readonly target: Readonly<Record<string, string>>;
  readonly message: string;
  /** Undefined: until it is removed. */
  readonly expiresMs: number | undefined;
}

/** Whom a lock may stop here. */
export interface LockSubject {
  readonly user: string;
  readonly roles: readonly string[];
  readonly serverId: string;
}

/** Fields of a lock that name what a session of an agent never has: a lock that carries one is meant for something else. */
const NEVER_HERE = new Set(['login', 'mfa_device', 'windows_desktop', 'access_request', 'device', 'bot_instance_id', 'join_token']);

/**
 * Every field given must match. A field that this version does not know is left out of account, so that a lock made by
 * a newer auth stops rather too much than too little.
 */
export function lockApplies(lock: Lock, subject: LockSubject): boolean {
  for (const [field, value] of Object.entries(lock.target)) {
    if (value === '') continue;
    if (NEVER_HERE.has(field)) return false;
    if (field === 'user' && value !== subject.user) return false;
    if (field === 'role' && !subject.roles.includes(value)) return false;
    if ((field === 'server_id' || field === 'node') && value !== subject.serverId) return false;
  }
  return true;
}

export function lockInForce(lock: Lock, nowMs: number): boolean {
  return lock.expiresMs === undefined || lock.expiresMs > nowMs;
}

export function lockReason(lock: Lock): string {
  const target = Object.entries(lock.target)
    .filter(([, value]) => value !== '')
    .map(([field, value]) => `${field} ${value}`)
    .join(', ');
  return lock.message === '' ? `${target} is locked` : `${target} is locked: ${lock.message}`;
}

/** Reads the JSON of a `lock` resource. Undefined where it is no lock at all. */
export function readLock(name: string, json: unknown): Lock | undefined {
  if (!isRecord(json) || !isRecord(json.spec) || !isRecord(json.spec.target)) return undefined;
  const target: Record<string, string> = {};
  for (const [field, value] of Object.entries(json.spec.target)) target[field] = String(value);
  const metadata = isRecord(json.metadata) ? json.metadata : {};
  const expires = [json.spec.expires, metadata.expires].map(toMs).filter((ms) => ms !== undefined);
  return {
    name,
    target,
    message: typeof json.spec.message === 'string' ? json.spec.message : '',
    expiresMs: expires.length === 0 ? undefined : Math.min(...expires),
  };
}

/** A date that cannot be read counts as none: the lock then stands until it is removed. */
function toMs(value: unknown): number | undefined {
  if (typeof value !== 'string' || value === '') return undefined;
  const ms = Date.parse(value);
  return Number.isNaN(ms) ? undefined : ms;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
