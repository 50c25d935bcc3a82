import { suggestion } from '#yaml/suggest.ts';

/** Every kind of resource, its versions, and the other words that mean it on a command line. */
export const kinds = {
  role: { versions: ['v3', 'v4', 'v5', 'v6', 'v7', 'v8'], aliases: ['roles'] },
  user: { versions: ['v2'], aliases: ['users'] },
  token: { versions: ['v2'], aliases: ['tokens'] },
  lock: { versions: ['v2'], aliases: ['locks'] },
  db: { versions: ['v3'], aliases: ['dbs', 'database', 'databases'] },
  app: { versions: ['v3'], aliases: ['apps', 'application', 'applications'] },
  db_server: { versions: ['v3'], aliases: ['db_servers', 'dbserver', 'dbservers', 'database_server', 'database_servers'] },
  app_server: { versions: ['v3'], aliases: ['app_servers', 'appserver', 'appservers', 'application_server', 'application_servers'] },
  proxy: { versions: ['v2'], aliases: ['proxies'] },
  cert_authority: { versions: ['v2'], aliases: ['cert_authorities', 'cas', 'ca'] },
  cluster_auth_preference: { versions: ['v2'], aliases: ['cluster_auth_preferences', 'cap'] },
} as const satisfies Readonly<Record<string, { readonly versions: readonly string[]; readonly aliases: readonly string[] }>>;

export type Kind = keyof typeof kinds;
export const kindNames: readonly Kind[] = Object.keys(kinds) as Kind[];

const byWord: ReadonlyMap<string, Kind> = new Map(kindNames.flatMap((kind) => [kind, ...kinds[kind].aliases].map((word) => [word, kind])));

/** The kind that a word on a command line means: `roles`, `role`, `cap`, `databases`, in any case. */
export function kindOf(word: string): Kind | undefined {
  return byWord.get(word.toLowerCase().replaceAll('-', '_'));
}

export function isKind(word: string): word is Kind {
  return Object.hasOwn(kinds, word);
}

export function unknownKind(word: string): string {
  const meant = kindOf(word);
  const hint = meant === undefined ? suggestion(word, kindNames) : ` (did you mean ${meant}?)`;
  return `${word.slice(0, 64)} is not a kind${hint}; known ones: ${kindNames.join(', ')}`;
}
