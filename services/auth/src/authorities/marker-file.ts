import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PosternError } from '@postern/api';
import { replaceFileDurably } from '#seal/private-file.ts';

export interface ClusterMarker {
  readonly id: string;
  readonly name: string;
}

/** Which cluster this host has served, kept beside the store rather than in it: a store cannot tell that it was emptied. */
export async function readMarkerFile(file: string): Promise<ClusterMarker | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { id, name } = JSON.parse(text) as Partial<ClusterMarker>;
    if (typeof id === 'string' && typeof name === 'string') return { id, name };
  } catch {
    // Falls through to the one sentence for every kind of damage.
  }
  throw new PosternError('internal', `${file} is damaged: it should name the cluster that this host serves`);
}

export async function writeMarkerFile(file: string, marker: ClusterMarker): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await replaceFileDurably(file, `${JSON.stringify({ id: marker.id, name: marker.name })}\n`);
}
