import { hash } from 'node:crypto';

const maxLength = 64;
const hashLength = 16;

/**
 * The STS session name of a user, so that CloudTrail names the person: 2 to 64 characters of `[\w+=,.@-]`. A name that fits is kept.
 * Any other one loses what is not legal and gets '-' and 16 hex digits of the SHA-256 of the original, so that two users never share a
 * session name. A name that fits but looks like a changed one is changed too; otherwise somebody could choose another user's.
 */
export function sessionName(user: string): string {
  if (user.length <= maxLength && /^[\w+=,.@-]{2,}$/.test(user) && !/-[0-9a-f]{16}$/.test(user)) return user;
  const legal = user.replaceAll(/[^\w+=,.@-]/g, '').slice(0, maxLength - hashLength - 1);
  return `${legal === '' ? 'user' : legal}-${hash('sha256', user, 'hex').slice(0, hashLength)}`;
}
