import type { SignedIn } from '@postern/profile/signed-in';
import { listServers } from '#sessions/list-servers.ts';

/** A database that the user may see, with the IAM roles that he may ask for. */
export interface VisibleDatabase {
  readonly name: string;
  readonly description: string;
  readonly protocol: string;
  readonly uri: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly allowed: readonly string[];
  readonly denied: readonly string[];
  /** As auth sent it, for -f json and yaml. */
  readonly json: object;
}

interface SentDatabase {
  readonly metadata?: { readonly name?: string; readonly description?: string; readonly labels?: Record<string, string> };
  readonly spec?: { readonly protocol?: string; readonly uri?: string; readonly database?: SentDatabase };
  readonly users?: { readonly allowed?: readonly string[]; readonly denied?: readonly string[] };
}

/** Several agents may serve one database: it is listed once. */
export async function visibleDatabases(who: SignedIn): Promise<readonly VisibleDatabase[]> {
  const byName = new Map<string, VisibleDatabase>();
  for (const sent of await listServers(who, 'db_server')) {
    const database = readDatabase(sent);
    byName.set(database.name, database);
  }
  return [...byName.values()].sort((a, b) => a.name.localeCompare(b.name));
}

function readDatabase(sent: SentDatabase): VisibleDatabase {
  const database = sent.spec?.database ?? sent;
  const users = sent.users ?? database.users;
  return {
    name: database.metadata?.name ?? '',
    description: database.metadata?.description ?? '',
    protocol: database.spec?.protocol ?? '',
    uri: database.spec?.uri ?? '',
    labels: database.metadata?.labels ?? {},
    allowed: users?.allowed ?? [],
    denied: users?.denied ?? [],
    json: { ...database, users: { allowed: users?.allowed ?? [], denied: users?.denied ?? [] } },
  };
}

/** "[a b], except: [x]" as Teleport writes it. */
export function usersText({ allowed, denied }: Pick<VisibleDatabase, 'allowed' | 'denied'>): string {
  if (allowed.length === 0) return '(none)';
  const except = denied.length === 0 ? '' : `, except: [${denied.join(' ')}]`;
  return `[${allowed.join(' ')}]${except}`;
}
