import { createHash } from 'node:crypto';

const style = `
:root{color-scheme:light dark;--ink:light-dark(#1b1f24,#e6e8eb);--soft:light-dark(#5b6470,#9aa4b0);--line:light-dark(#d8dde3,#343b44);--box:light-dark(#f5f7f9,#1b2027);--name:light-dark(#9a4a00,#f0b072);--link:light-dark(#0b57c2,#8ab8ff);--bad:light-dark(#a3211a,#ff9d94);--badbox:light-dark(#fdf1f0,#2c1a19)}
body{font:17px/1.55 system-ui,sans-serif;color:var(--ink);background:light-dark(#fff,#12161b);max-width:44rem;margin:clamp(2rem,9vh,6rem) auto;padding:0 1.25rem}
a{color:var(--link)}
.over{margin:0;color:var(--soft);font-size:.85rem;letter-spacing:.08em;text-transform:uppercase}
h1{margin:.1rem 0 .5rem;font-size:2.1rem;line-height:1.2;overflow-wrap:anywhere}
h2{margin:0 0 .5rem;font-size:1.05rem;overflow-wrap:anywhere}
ol{list-style:none;margin:2.5rem 0 0;padding:0;counter-reset:step}
ol>li{counter-increment:step;position:relative;padding:0 0 1.75rem 2.75rem}
ol>li::before{content:counter(step);position:absolute;left:0;top:0;width:1.7rem;height:1.7rem;line-height:1.7rem;text-align:center;border:1px solid var(--line);border-radius:50%;font-size:.85rem;color:var(--soft)}
pre{margin:0;padding:.75rem 1rem;background:var(--box);border:1px solid var(--line);border-radius:.4rem;overflow-x:auto}
pre,code{font:14px/1.6 ui-monospace,monospace}
.note code{white-space:nowrap}
var{font-style:normal;color:var(--name)}
p.note{margin:.5rem 0 0;color:var(--soft);font-size:.9rem}
form.sign{margin:2rem 0 0;max-width:24rem}
label{display:block;margin:0 0 .3rem;font-weight:600}
input{box-sizing:border-box;width:100%;margin:0 0 1.1rem;padding:.6rem .75rem;font:inherit;color:inherit;background:light-dark(#fff,#12161b);border:1px solid light-dark(#8a939e,#6b7582);border-radius:.4rem}
button,a.go{display:inline-block;padding:.55rem 1.1rem;font:inherit;font-weight:600;line-height:1.4;color:light-dark(#fff,#0b1a30);background:var(--link);border:1px solid var(--link);border-radius:.4rem;text-decoration:none;cursor:pointer}
button.plain{padding:0;font-weight:400;color:var(--link);background:none;border:0;text-decoration:underline}
:is(a,input,button):focus-visible{outline:3px solid var(--link);outline-offset:2px}
.bar{display:flex;flex-wrap:wrap;gap:.25rem 1rem;justify-content:space-between;align-items:baseline;margin:0 0 2rem;color:var(--soft);font-size:.9rem}
.bar form{margin:0}
.problem{margin:1.5rem 0 0;padding:.75rem 1rem;color:var(--bad);background:var(--badbox);border:1px solid var(--bad);border-radius:.4rem;overflow-wrap:anywhere}
ul{list-style:none;margin:1.5rem 0 0;padding:0}
ul.apps>li{margin:0 0 1.25rem;padding:1.1rem 1.25rem;border:1px solid var(--line);border-radius:.5rem}
ul.roles{margin:.75rem 0 0}
ul.roles>li{display:flex;gap:1rem;justify-content:space-between;align-items:center;padding:.6rem 0;border-top:1px solid var(--line)}
ul.roles span{min-width:0;overflow-wrap:anywhere}
ul.apps p{margin:.25rem 0 0}
.account{color:var(--soft);font-size:.9rem;display:inline-block}
@media(max-width:34rem){ol>li{padding-left:0}ol>li::before{position:static;display:block;margin-bottom:.35rem}pre{white-space:pre-wrap;overflow-wrap:anywhere}}
`;

/** For the Content-Security-Policy: the style of every page, and nothing else. */
export const pageStyleHash = `'sha256-${createHash('sha256').update(style).digest('base64')}'`;

export interface Page {
  readonly cluster: string;
  /** Of the window; the cluster's name follows. */
  readonly title?: string;
  readonly heading: string;
  /** HTML: whatever comes from elsewhere has gone through escapeHtml. */
  readonly body: string;
  readonly signedIn?: SignedInBar;
  /** A page of this proxy where the browser goes of its own accord. */
  readonly onward?: string;
}

/** Who is signed in, and the token of the form that signs out. */
export interface SignedInBar {
  readonly user: string;
  readonly csrfToken: string;
}

export function htmlPage({ cluster, title, heading, body, signedIn, onward }: Page): string {
  const name = escapeHtml(cluster);
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">${
    onward === undefined ? '' : `<meta http-equiv="refresh" content="0; url=${escapeHtml(onward)}">`
  }<title>${title === undefined ? '' : `${escapeHtml(title)} – `}${name} – Postern</title><style>${style}</style></head>
<body>
${signedIn === undefined ? '' : bar(signedIn)}<main>
<p class="over">${signedIn === undefined && title === undefined ? 'Postern proxy' : name}</p>
<h1>${escapeHtml(heading)}</h1>
${body}
</main>
</body>
</html>
`;
}

function bar({ user, csrfToken }: SignedInBar): string {
  return `<header class="bar"><nav aria-label="Postern"><a href="/web">Applications</a></nav>
<form method="post" action="/web/logout"><input type="hidden" name="_csrf" value="${escapeHtml(csrfToken)}">Signed in as ${escapeHtml(user)} · <button class="plain">Sign out</button></form></header>
`;
}

/** What drives a terminal or turns the direction of writing drives nothing here; what HTML reads is text. */
export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (letter) => `&#${letter.codePointAt(0) ?? 0};`);
}
