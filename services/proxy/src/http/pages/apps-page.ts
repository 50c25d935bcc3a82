import { type OwnApp, roleLabel } from '#browser/choose-role.ts';
import { escapeHtml, htmlPage, type SignedInBar } from '#http/pages/page.ts';

export interface AppsPage {
  readonly cluster: string;
  readonly signedIn: SignedInBar;
  readonly apps: readonly OwnApp[];
}

/** Each application with a button for each role: what Launch opens is the AWS console under that role. */
export function appsPage({ cluster, signedIn, apps }: AppsPage): string {
  const none =
    '<p>No application is served to you now. An administrator sees with <code>tctl apps ls</code> what agents serve, and with <code>tctl access explain</code> what your roles say.</p>';
  return htmlPage({
    cluster,
    title: 'Applications',
    heading: 'Applications',
    signedIn,
    body: apps.length === 0 ? none : `<ul class="apps">\n${apps.map(item).join('\n')}\n</ul>`,
  });
}

function item(app: OwnApp): string {
  const description = app.description === '' ? '' : `<p>${escapeHtml(app.description)}</p>`;
  const roles =
    app.roles.length === 0
      ? '<p class="note">Your roles allow no IAM role here: an administrator grants one.</p>'
      : roleList(app.name, { roles: app.roles, destination: '' });
  return `<li><h2>${escapeHtml(app.name)}</h2>${description}${roles}</li>`;
}

export interface RolesPage {
  readonly cluster: string;
  readonly signedIn: SignedInBar;
  readonly app: string;
  readonly roles: readonly string[];
  readonly destination: string;
}

export function rolesPage({ cluster, signedIn, app, roles, destination }: RolesPage): string {
  return htmlPage({
    cluster,
    title: app,
    heading: 'Choose a role',
    signedIn,
    body: `<p>You may open the console of ${escapeHtml(app)} under each of these.</p>\n${roleList(app, { roles, destination })}`,
  });
}

function roleList(app: string, { roles, destination }: { readonly roles: readonly string[]; readonly destination: string }): string {
  const items = roles.map((arn) => {
    const { name, account } = roleLabel(arn);
    const said = `${escapeHtml(name)}${account === '' ? '' : `, account ${escapeHtml(account)}`}`;
    const shown = `<span><code>${escapeHtml(name)}</code>${account === '' ? '' : ` <span class="account">account ${escapeHtml(account)}</span>`}</span>`;
    return `<li>${shown}<a class="go" href="${escapeHtml(launchPath({ app, role: arn, destination }))}" aria-label="Launch ${escapeHtml(app)} as ${said}">Launch</a></li>`;
  });
  return `<ul class="roles">${items.join('')}</ul>`;
}

export function launchPath({
  app,
  role,
  destination,
}: {
  readonly app: string;
  readonly role: string;
  readonly destination: string;
}): string {
  const query = new URLSearchParams({ ...(role === '' ? {} : { role }), ...(destination === '' ? {} : { destination }) }).toString();
  return `/web/launch/${encodeURIComponent(app)}${query === '' ? '' : `?${query}`}`;
}
