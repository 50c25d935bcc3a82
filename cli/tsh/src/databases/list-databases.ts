import { usersText, type VisibleDatabase, visibleDatabases } from '#databases/visible-databases.ts';
import { nothingListed } from '#sessions/nothing-listed.ts';
import { knownResources } from '#sessions/known-resources.ts';
import { type GlobalOptions, signedIn } from '@postern/profile/signed-in';
import { type Format, labelsText, print, say, table, warn } from '@postern/terminal/output';

export interface ListDatabasesOptions {
  readonly globals: GlobalOptions;
  readonly labels: Readonly<Record<string, string>>;
  readonly search?: readonly string[];
  readonly verbose?: boolean;
  readonly format: Format;
}
const MANY_ROWS = 20;

export async function listDatabases(options: ListDatabasesOptions): Promise<void> {
  const who = signedIn(options.globals, process.env, Date.now());
  const known = await knownResources(who, 'db', () => visibleDatabases(who));
  if (known.stale) warn(`${known.stale.because}: the list is as of ${known.stale.asOf}`);
  const databases = known.resources.filter((database) => matches(database, options));
  const loggedIn = who.store.kept(who.profile, 'db').names();
  await print(
    options.format,
    databases.map(({ json }) => json),
    () => (options.verbose === true ? verboseTable(databases, loggedIn) : shortTable(databases, loggedIn)),
  );
  if (options.format === 'text' && databases.length === 0) say(nothingListed('db', { known, user: who.profile.user }));
  if (options.format === 'text' && databases.length >= MANY_ROWS) say('tsh db ls -v shows protocol and URI, --search=<word> fewer rows');
}

function matches(database: VisibleDatabase, { labels, search = [] }: ListDatabasesOptions): boolean {
  const text = [database.name, database.description, database.protocol, labelsText(database.labels)].join(' ').toLowerCase();
  return (
    Object.entries(labels).every(([key, value]) => Object.hasOwn(database.labels, key) && database.labels[key] === value) &&
    search.every((word) => text.includes(word.toLowerCase()))
  );
}

function shortTable(databases: readonly VisibleDatabase[], loggedIn: readonly string[]): string {
  const rows = databases.map((database) => [
    mark(database, loggedIn),
    database.description,
    usersText(database),
    labelsText(database.labels),
    connectText(database, loggedIn),
  ]);
  return table(['Name', 'Description', 'Allowed Users', 'Labels', 'Connect'], rows);
}

function verboseTable(databases: readonly VisibleDatabase[], loggedIn: readonly string[]): string {
  const rows = databases.map((database) => [
    mark(database, loggedIn),
    database.description,
    database.protocol,
    'aws',
    database.uri,
    usersText(database),
    labelsText(database.labels),
    connectText(database, loggedIn),
  ]);
  return table(['Name', 'Description', 'Protocol', 'Type', 'URI', 'Allowed Users', 'Labels', 'Connect'], rows);
}

function mark({ name }: VisibleDatabase, loggedIn: readonly string[]): string {
  return loggedIn.includes(name) ? `> ${name}` : name;
}

function connectText({ name }: VisibleDatabase, loggedIn: readonly string[]): string {
  return loggedIn.includes(name) ? `tsh proxy db --tunnel ${name}` : '';
}
