import { UsageError } from '@postern/terminal/usage-error';
import type { LocalKey } from '#apps/local-key.ts';

export type SigningKey = Pick<LocalKey, 'accessKeyId' | 'secretAccessKey'>;

/** What an agent takes for a throw-away key; another is none, and every request under it would be refused. */
const ID = /^[A-Za-z0-9-]{16,128}$/;
const SECRET = /^[A-Za-z0-9+/=_-]{16,256}$/;

/** TELEPORT_AWS_ACCESS_KEY_ID and TELEPORT_AWS_SECRET_ACCESS_KEY take the place of the login's key, as in Teleport: both or none. */
export function signingKey(env: Readonly<Record<string, string | undefined>>, key: SigningKey): SigningKey {
  const { TELEPORT_AWS_ACCESS_KEY_ID: accessKeyId = '', TELEPORT_AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } = env;
  if (accessKeyId === '' && secretAccessKey === '') return { accessKeyId: key.accessKeyId, secretAccessKey: key.secretAccessKey };
  if (!ID.test(accessKeyId))
    throw new UsageError('TELEPORT_AWS_ACCESS_KEY_ID: write 16 to 128 letters, digits or hyphens, or leave it out');
  if (!SECRET.test(secretAccessKey))
    throw new UsageError('TELEPORT_AWS_SECRET_ACCESS_KEY: write 16 to 256 letters, digits or any of +/=_-, or leave it out');
  return { accessKeyId, secretAccessKey };
}
