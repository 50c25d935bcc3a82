import { PosternError } from '@postern/api';
import type { Entry, Store } from '@postern/store';
import { keys } from '#state/keys.ts';
import type { JoinRole } from '#tokens/token.ts';

/** What auth knows of an agent or proxy that joined: written once at the join, and what it may announce is decided by it. */
export interface HostRecord {
  readonly id: string;
  readonly role: JoinRole;
  readonly nodeName: string;
  /** Of the token it joined with; a static token has one too. */
  readonly tokenId: string;
  /** Static names it may serve; a token made without a name binds none. */
  readonly boundNames: readonly BoundName[];
  /** A part of an auth server's own process. */
  readonly bindsAnyName?: true;
  /** Win over the agent's own labels. */
  readonly boundLabels: Readonly<Record<string, string>>;
  readonly joinedMs: number;
}

export interface BoundName {
  readonly kind: 'db' | 'app';
  readonly name: string;
  readonly protocol?: string;
  readonly uri?: string;
}

export async function requireHost(store: Store, id: string): Promise<HostRecord> {
  const entry = await store.get(keys.host(id));
  if (entry === undefined) throw new PosternError('denied', `host ${id} is not a member of the cluster any more: join it again`);
  return readHost(entry);
}

export function readHost(entry: Entry): HostRecord {
  return JSON.parse(entry.value) as HostRecord;
}
