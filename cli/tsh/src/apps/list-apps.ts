import { type GlobalOptions, signedIn } from '@postern/profile/signed-in';
import { type Format, labelsText, print, say, table, warn } from '@postern/terminal/output';
import { type VisibleApp, visibleApps } from '#apps/visible-apps.ts';
import { nothingListed } from '#sessions/nothing-listed.ts';
import { knownResources } from '#sessions/known-resources.ts';

export interface ListAppsOptions {
  readonly globals: GlobalOptions;
  readonly labels: Readonly<Record<string, string>>;
  readonly search?: readonly string[];
  readonly verbose?: boolean;
  readonly format: Format;
}

export async function listApps(options: ListAppsOptions): Promise<void> {
  const who = signedIn(options.globals, process.env, Date.now());
  const known = await knownResources(who, 'app', () => visibleApps(who));
  if (known.stale) warn(`${known.stale.because}: the list is as of ${known.stale.asOf}`);
  const apps = known.resources.filter((app) => matches(app, options));
  const loggedIn = who.store.kept(who.profile, 'app').names();
  await print(
    options.format,
    apps.map(({ json }) => json),
    () => (options.verbose === true ? verboseTable(apps, loggedIn) : shortTable(apps, loggedIn)),
  );
  if (options.format === 'text' && apps.length === 0) say(nothingListed('app', { known, user: who.profile.user }));
}

function matches(app: VisibleApp, { labels, search = [] }: ListAppsOptions): boolean {
  const text = [app.name, app.description, app.publicAddr, labelsText(app.labels)].join(' ').toLowerCase();
  return (
    Object.entries(labels).every(([key, value]) => Object.hasOwn(app.labels, key) && app.labels[key] === value) &&
    search.every((word) => text.includes(word.toLowerCase()))
  );
}

function shortTable(apps: readonly VisibleApp[], loggedIn: readonly string[]): string {
  const rows = apps.map((app) => [mark(app, loggedIn), app.description, 'AWS', app.publicAddr, labelsText(app.labels)]);
  return table(['Application', 'Description', 'Type', 'Public Address', 'Labels'], rows);
}

function verboseTable(apps: readonly VisibleApp[], loggedIn: readonly string[]): string {
  const rows = apps.map((app) => [
    mark(app, loggedIn),
    app.description,
    'AWS',
    app.publicAddr,
    app.uri,
    app.allowed.length === 0 ? '(none)' : app.allowed.join(', '),
    labelsText(app.labels),
  ]);
  return table(['Application', 'Description', 'Type', 'Public Address', 'URI', 'AWS Roles', 'Labels'], rows);
}

function mark({ name }: VisibleApp, loggedIn: readonly string[]): string {
  return loggedIn.includes(name) ? `> ${name}` : name;
}
