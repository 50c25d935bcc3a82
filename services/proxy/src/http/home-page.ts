import { createHash } from 'node:crypto';

const style = `
:root{color-scheme:light dark;--ink:light-dark(#1b1f24,#e6e8eb);--soft:light-dark(#5b6470,#9aa4b0);--line:light-dark(#d8dde3,#343b44);--box:light-dark(#f5f7f9,#1b2027);--name:light-dark(#9a4a00,#f0b072)}
body{font:17px/1.55 system-ui,sans-serif;color:var(--ink);background:light-dark(#fff,#12161b);max-width:44rem;margin:clamp(2rem,9vh,6rem) auto;padding:0 1.25rem}
.over{margin:0;color:var(--soft);font-size:.85rem;letter-spacing:.08em;text-transform:uppercase}
h1{margin:.1rem 0 .5rem;font-size:2.1rem;line-height:1.2;overflow-wrap:anywhere}
h2{margin:0 0 .5rem;font-size:1.05rem}
ol{list-style:none;margin:2.5rem 0 0;padding:0;counter-reset:step}
li{counter-increment:step;position:relative;padding:0 0 1.75rem 2.75rem}
li::before{content:counter(step);position:absolute;left:0;top:0;width:1.7rem;height:1.7rem;line-height:1.7rem;text-align:center;border:1px solid var(--line);border-radius:50%;font-size:.85rem;color:var(--soft)}
pre{margin:0;padding:.75rem 1rem;background:var(--box);border:1px solid var(--line);border-radius:.4rem;overflow-x:auto}
pre,code{font:14px/1.6 ui-monospace,monospace}
.note code{white-space:nowrap}
var{font-style:normal;color:var(--name)}
p.note{margin:.5rem 0 0;color:var(--soft);font-size:.9rem}
@media(max-width:34rem){li{padding-left:0}li::before{position:static;display:block;margin-bottom:.35rem}pre{white-space:pre-wrap;overflow-wrap:anywhere}}
`;

/** For the Content-Security-Policy: the page's own style and nothing else. */
export const homePageStyleHash = `'sha256-${createHash('sha256').update(style).digest('base64')}'`;

/** It offers no CA pin: a page over a connection that is not verified yet is no place to learn one from. */
export function homePage(options: { readonly cluster: string; readonly publicAddress: string }): string {
  const cluster = escapeHtml(options.cluster);
  const address = escapeHtml(options.publicAddress);
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${cluster} – Postern</title><style>${style}</style></head>
<body>
<main>
<p class="over">Postern proxy</p>
<h1>${cluster}</h1>
<p>Access to Amazon DynamoDB without AWS keys, from the tools you have. There is nothing to sign in to on this page: it all happens in a terminal.</p>
<ol>
<li><h2>Sign in</h2>
<pre>tsh login --proxy=${address} --user=<var>NAME</var></pre>
<p class="note">If the certificate cannot be verified, ask the administrator for the CA pin, which <code>tctl status</code> prints, and add <code>--ca-pin=<var>PIN</var></code>.</p></li>
<li><h2>Find a database and its roles, and open a local port</h2>
<pre>tsh db ls
tsh proxy db --tunnel --port 8000 --db-user=<var>ROLE</var> <var>DATABASE</var></pre></li>
<li><h2>In a second terminal, use it</h2>
<pre>aws dynamodb list-tables --endpoint-url=http://localhost:8000</pre>
<p class="note">The tool needs some AWS keys and a region set, whichever they are: they are replaced on the way.</p></li>
</ol>
</main>
</body>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (letter) => `&#${letter.codePointAt(0) ?? 0};`);
}
