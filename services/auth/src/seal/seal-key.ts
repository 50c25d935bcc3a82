import { randomBytes } from 'node:crypto';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PosternError } from '@postern/api';
import { createFileDurably } from '#seal/private-file.ts';

/**
 * Reads the seal key, making it where `mayCreate`. A store that already has authorities needs the key that sealed them:
 * a new one in its place would only hide that the old is lost, so nothing is made then.
 */
export async function loadSealKey(options: { readonly file: string; readonly mayCreate: boolean }): Promise<Buffer> {
  const { file, mayCreate } = options;
  const existing = await readSealKey(file);
  if (existing !== undefined) return existing;
  if (!mayCreate) {
    throw new PosternError('internal', `seal key ${file} is missing: without it the cluster's authorities cannot be opened; restore it`);
  }
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await createFileDurably(file, `${randomBytes(32).toString('hex')}\n`);
  const made = await readSealKey(file);
  if (made === undefined) throw new PosternError('internal', `seal key ${file} vanished as it was made`);
  return made;
}

async function readSealKey(file: string): Promise<Buffer | undefined> {
  let text: string;
  try {
    const { mode } = await stat(file);
    if ((mode & 0o007) !== 0) throw new PosternError('internal', `seal key ${file} may be read by everybody: chmod 600 ${file}`);
    text = (await readFile(file, 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  if (!/^[0-9a-f]{64}$/i.test(text)) throw new PosternError('internal', `seal key ${file} is not 64 hex digits`);
  return Buffer.from(text, 'hex');
}
