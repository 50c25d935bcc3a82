import { escapeHtml, htmlPage } from '#http/pages/page.ts';

export interface LoginPage {
  readonly cluster: string;
  readonly csrfToken: string;
  /** A path of this proxy. */
  readonly redirect: string;
  /** Why the last try did not work. */
  readonly problem?: string;
  readonly user?: string;
}

export function loginPage({ cluster, csrfToken, redirect, problem, user = '' }: LoginPage): string {
  const described = problem === undefined ? '' : ' aria-describedby="problem" aria-invalid="true"';
  return htmlPage({
    cluster,
    title: 'Sign in',
    heading: 'Sign in',
    body: `${problem === undefined ? '' : `<p class="problem" id="problem" role="alert">${escapeHtml(problem)}</p>`}
<form class="sign" method="post" action="/web/login">
<input type="hidden" name="_csrf" value="${escapeHtml(csrfToken)}">
<input type="hidden" name="redirect" value="${escapeHtml(redirect)}">
<label for="user">User name</label>
<input id="user" name="user" value="${escapeHtml(user)}" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="512" required${user === '' ? ' autofocus' : ''}${described}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" maxlength="512" required${user === '' ? '' : ' autofocus'}${described}>
<button>Sign in</button>
</form>
<p class="note">Your browser’s connection ends at this proxy. With <code>tsh login</code> the password goes to the cluster’s auth server alone.</p>`,
  });
}
