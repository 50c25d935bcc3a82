import { createDecipheriv } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type Authority, type AuthorityKind, caPin, loadAuthority } from '@postern/pki';
import type { Cluster } from '@postern/test-harness/cluster.ts';
import { CLUSTER } from './held.ts';

const IV_BYTES = 12;
const TAG_BYTES = 16;

/**
 * The cluster's own two authorities, as whoever copies the disk of auth has them: no attacker of these stories, but a story makes with them
 * certificates that are right in all but one thing.
 */
export function stolenAuthorities(cluster: Cluster): Readonly<Record<AuthorityKind, Authority>> {
  const dir = join(cluster.dir, 'auth');
  const copy = join(cluster.dir, 'copy-of-auth');
  mkdirSync(copy, { recursive: true, mode: 0o700 });
  // Auth holds the lock of the file itself.
  for (const file of ['auth.sqlite', 'auth.sqlite-wal']) if (existsSync(join(dir, file))) cpSync(join(dir, file), join(copy, file));
  const key = Buffer.from(readFileSync(join(dir, 'keys', 'seal.key'), 'utf8').trim(), 'hex');
  const database = new DatabaseSync(join(copy, 'auth.sqlite'));
  const read = (kind: AuthorityKind): Authority => {
    const value = String(database.prepare('SELECT value FROM entries WHERE key = ?').get(`authorities/${kind}`)?.['value']);
    const { keys } = JSON.parse(value) as { keys: { certificatePem: string; sealedKey: { data: string } }[] };
    const [first] = keys;
    if (first === undefined) throw new Error(`there is no ${kind} authority`);
    const { certificatePem, sealedKey } = first;
    const privateKeyPem = opened(key, Buffer.from(sealedKey.data, 'base64'), `${kind} authority ${caPin(certificatePem)}`);
    return loadAuthority({ kind, cluster: CLUSTER, certificatePem, privateKeyPem });
  };
  try {
    return { host: read('host'), user: read('user') };
  } finally {
    database.close();
  }
}

function opened(key: Buffer, sealed: Buffer, context: string): Buffer {
  const end = sealed.length - TAG_BYTES;
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(context)).setAuthTag(sealed.subarray(end));
  return Buffer.concat([decipher.update(sealed.subarray(IV_BYTES, end)), decipher.final()]);
}
