import type { ConsoleSession } from '#federation/sign-ins.ts';
import { escapeXml } from '#protocols/xml.ts';

/** What stands for the console: who is signed in, for how long, and where a deep link led. */
export function consolePage(session: ConsoleSession, { target, nowMs }: { readonly target: string; readonly nowMs: number }): string {
  const { identity, expiresMs } = session;
  const who = identity.arn.split('/').slice(-2).join('/');
  const minutes = Math.floor((expiresMs - nowMs) / 60_000);
  const rows = [
    ['Signed in as', who],
    ['ARN', identity.arn],
    ['Account', identity.accountId],
    ['Session ends', `${new Date(expiresMs).toISOString()} (in ${minutes} minutes)`],
    ['Page', target],
  ].map(([name = '', value = '']) => `<div><dt>${escapeXml(name)}</dt><dd>${escapeXml(value)}</dd></div>`);
  return page(
    `${who} – AWS console (emulated)`,
    `<h1>AWS console (emulated)</h1>\n<dl>${rows.join('\n')}</dl>\n<p><a href="/console/logout!doLogout">Sign out</a></p>`,
  );
}

export function signedOutPage(reason: string): string {
  return page('Not signed in – AWS console (emulated)', `<h1>Not signed in</h1>\n<p>${escapeXml(reason)}</p>`);
}

function page(title: string, main: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeXml(title)}</title>
<style>
:root { color-scheme: light dark; font-family: system-ui, sans-serif; line-height: 1.5; }
body { max-width: 48rem; margin: 2rem auto; padding: 0 1rem; }
dt { font-weight: 600; }
dd { margin: 0 0 0.75rem; overflow-wrap: anywhere; }
</style>
</head>
<body>
<main>
${main}
</main>
</body>
</html>
`;
}
