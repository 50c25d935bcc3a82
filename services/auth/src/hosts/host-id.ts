import { randomUUID } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PosternError } from '@postern/api';
import { createFileDurably } from '#seal/private-file.ts';

/** This auth server's own id, chosen once: it stands in its certificates and beside its acts in the audit log. */
export async function hostIdOf(file: string): Promise<string> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await createFileDurably(file, `${randomUUID()}\n`);
  const id = (await readFile(file, 'utf8')).trim();
  if (!/^[0-9a-f-]{36}$/.test(id))
    throw new PosternError('internal', `${file} is damaged: it should hold this auth server's id; remove it to have another made`);
  return id;
}
