import { createHash } from 'node:crypto';

const style =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem}code,pre{font:14px/1.5 ui-monospace,monospace}pre{padding:.75rem 1rem;border:1px solid #8886;overflow-x:auto}@media(prefers-color-scheme:dark){body{background:#111;color:#eee}a{color:#9cf}}';

/** For the Content-Security-Policy: the page's own style and nothing else. */
export const homePageStyleHash = `'sha256-${createHash('sha256').update(style).digest('base64')}'`;

export function homePage(options: { readonly cluster: string; readonly publicAddress: string }): string {
  const cluster = escapeHtml(options.cluster);
  const address = escapeHtml(options.publicAddress);
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${cluster} – Postern</title><style>${style}</style></head>
<body>
<main>
<h1>${cluster}</h1>
<p>This is a Postern proxy. It gives people and programs access to Amazon DynamoDB without AWS keys.</p>
<h2>Sign in</h2>
<pre>tsh login --proxy=${address} --user=NAME</pre>
<h2>Then</h2>
<pre>tsh db ls
tsh proxy db --tunnel --port 8000 --db-user=ROLE DATABASE
aws dynamodb list-tables --endpoint-url=http://localhost:8000</pre>
</main>
</body>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (letter) => `&#${letter.codePointAt(0) ?? 0};`);
}
