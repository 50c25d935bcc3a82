import { escapeHtml, htmlPage, type SignedInBar } from '#http/pages/page.ts';

export interface MessagePage {
  readonly cluster: string;
  readonly heading: string;
  /** A sentence. */
  readonly message: string;
  readonly isProblem: boolean;
  readonly link?: { readonly href: string; readonly text: string };
  readonly signedIn?: SignedInBar;
  readonly onward?: string;
}

export function messagePage({ cluster, heading, message, isProblem, link, signedIn, onward }: MessagePage): string {
  const text = escapeHtml(message);
  const further = link === undefined ? '' : `\n<p><a class="go" href="${escapeHtml(link.href)}">${escapeHtml(link.text)}</a></p>`;
  return htmlPage({
    cluster,
    title: heading,
    heading,
    body: `${isProblem ? `<p class="problem" role="alert">${text}</p>` : `<p>${text}</p>`}${further}`,
    ...(signedIn === undefined ? {} : { signedIn }),
    ...(onward === undefined ? {} : { onward }),
  });
}
