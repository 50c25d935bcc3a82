import { randomBytes } from 'node:crypto';
import type { SignedIn } from '@postern/profile/signed-in';
import { grantFromJson, type SessionGrant } from '#sessions/session-grant.ts';

/**
 * What a program signs with: worth nothing at AWS, random for each sign-in, role and application, in the shapes that some programs check
 * (`AKIA…`, 40 characters). Whoever opens the local port without it is refused by the agent. Its session lies with it.
 */
export interface LocalKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly app: string;
  readonly roleArn: string;
  readonly grant: SessionGrant;
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const ID_CHARACTERS = 16;
const SECRET_BYTES = 30;

export function newLocalKey(): Pick<LocalKey, 'accessKeyId' | 'secretAccessKey'> {
  const letters = [...randomBytes(ID_CHARACTERS)].map((byte) => ALPHABET[byte % ALPHABET.length]);
  return { accessKeyId: `AKIA${letters.join('')}`, secretAccessKey: randomBytes(SECRET_BYTES).toString('base64') };
}

export function saveKey({ store, profile }: SignedIn, key: LocalKey): void {
  store.kept(profile, 'key').save(key.accessKeyId, `${JSON.stringify({ version: 1, ...key })}\n`);
}

/** The session's newer certificate, so that the next command needs no auth. A key that was taken away meanwhile stays away. */
export function renewKey(who: SignedIn, key: LocalKey, grant: SessionGrant): void {
  if (who.store.kept(who.profile, 'key').has(key.accessKeyId)) saveKey(who, { ...key, grant });
}

export function loadKey({ store, profile }: Pick<SignedIn, 'store' | 'profile'>, accessKeyId: string): LocalKey | undefined {
  const text = store.kept(profile, 'key').load(accessKeyId);
  return text === undefined ? undefined : keyFromJson(text);
}

/** Of one application, and of one role of it where that is said. */
export function keysOf(who: SignedIn, app: string, roleArn?: string): readonly LocalKey[] {
  const kept = who.store.kept(who.profile, 'key');
  return kept
    .names()
    .map((accessKeyId) => loadKey(who, accessKeyId))
    .filter((key) => key !== undefined)
    .filter((key) => key.app === app && (roleArn === undefined || key.roleArn === roleArn));
}

function keyFromJson(text: string): LocalKey | undefined {
  let value: Partial<LocalKey> | null;
  try {
    value = JSON.parse(text) as Partial<LocalKey> | null;
  } catch {
    return undefined;
  }
  const { accessKeyId, secretAccessKey, app, roleArn } = value ?? {};
  const grant = grantFromJson(JSON.stringify(value?.grant ?? null));
  const whole = [accessKeyId, secretAccessKey, app, roleArn].every((part) => typeof part === 'string');
  return whole && grant !== undefined ? { ...(value as LocalKey), grant } : undefined;
}
