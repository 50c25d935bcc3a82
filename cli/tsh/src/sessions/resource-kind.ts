import { Identity_Kind } from '@postern/api/identity';
import { PosternError } from '@postern/api/errors';

/** As certificates and auth write it. */
export type ResourceKind = 'db' | 'app';

interface KindWords {
  readonly noun: string;
  /** The command that lists them. */
  readonly list: string;
  readonly agents: Identity_Kind;
}

export const wordsOf: Readonly<Record<ResourceKind, KindWords>> = {
  db: { noun: 'database', list: 'tsh db ls', agents: Identity_Kind.DB_AGENT },
  app: { noun: 'application', list: 'tsh apps ls', agents: Identity_Kind.APP_AGENT },
};

/** `database "orders"`, for messages. */
export function shown({ kind, name }: { readonly kind: ResourceKind; readonly name: string }): string {
  return `${wordsOf[kind].noun} "${name}"`;
}

export function unknownResource(kind: ResourceKind, name: string): PosternError {
  return new PosternError('not_found', `${shown({ kind, name })} not found: ${wordsOf[kind].list} lists those that you may reach`);
}

/** Of a resource that was reached before. */
export function notServedNow({ kind, name }: { readonly kind: ResourceKind; readonly name: string }): PosternError {
  return new PosternError(
    'unavailable',
    `no agent serves ${shown({ kind, name })} to you now: try again (${wordsOf[kind].list} shows it once one does)`,
  );
}
