import type { Application } from '#apps/application.ts';

/**
 * Where the console sends its user when the session ends (`Issuer`): the page of the proxy that launches the application. A proxy names its
 * own; tsh names none, and gets the one that the agent can tell.
 */
export function launchPage(of: {
  readonly asked: string;
  readonly application: Pick<Application, 'name' | 'publicAddress' | 'uri'>;
  readonly proxyAddress: string | undefined;
}): { readonly url: string } | { readonly refusal: string } {
  const { asked, application, proxyAddress } = of;
  if (asked !== '') {
    const url = asked.length <= 1024 && /^https:\/\/[!-~]+$/.test(asked) ? URL.parse(asked) : null;
    if (url === null || url.username !== '' || url.password !== '' || url.hash !== '')
      return { refusal: 'the issuer is not an https address without user and fragment' };
    return { url: url.href };
  }
  if (application.publicAddress !== '') return { url: `https://${application.publicAddress}/` };
  if (proxyAddress === undefined) return { url: application.uri };
  return { url: `https://${proxyAddress.replace(/:443$/, '')}/web/launch/${application.name}` };
}
