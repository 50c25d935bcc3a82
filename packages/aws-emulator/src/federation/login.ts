import { consoleHost, signinHost } from '#hosts/signin-host.ts';
import { refusal } from '#federation/get-signin-token.ts';
import type { SignIns } from '#federation/sign-ins.ts';

export interface Login {
  /** The cookie's value. */
  readonly session: string;
  readonly destination: URL;
}

/** Other hosts of the console than those of its domain. */
const otherConsoleHosts: readonly string[] = ['health.aws.amazon.com', 'lightsail.aws.amazon.com', 'phd.aws.amazon.com'];

/** `Action=login`: uses the token up and opens the session in the console. */
export function login(
  parameters: ReadonlyMap<string, string>,
  { signIns, nowMs, cookie }: { readonly signIns: SignIns; readonly nowMs: number; readonly cookie: string | undefined },
): Login {
  const value = parameters.get('SigninToken') ?? '';
  const destination = parseUrl(parameters.get('Destination'));
  if (destination === undefined) throw refusal('Destination is missing or is not a URL');
  const issuer = parameters.get('Issuer') ?? '';
  if (issuer !== '' && parseUrl(issuer) === undefined) throw refusal('Issuer is not a URL');
  const known = signIns.peekToken(value);
  const open = signIns.find(cookie);
  if (known !== undefined && !leadsToConsole(destination, known.partition))
    throw refusal(`Destination ${destination.host} is not a console of the partition, such as ${consoleHost(known.partition)}`);
  if (known !== undefined && open !== undefined && nowMs < open.expiresMs && open.identity.accountId !== known.identity.accountId)
    throw refusal('You must first log out before logging into a different AWS account');
  const token = signIns.useToken(value, nowMs);
  if (token === undefined) throw refusal('SigninToken is not valid: it is good for one login within 15 minutes');
  const { identity, partition, sessionExpiresMs: expiresMs } = token;
  return { session: signIns.open({ identity, partition, issuer, expiresMs }), destination };
}

export function leadsToConsole(url: URL, partition: string): boolean {
  if (url.protocol !== 'https:' || url.username !== '' || url.password !== '' || url.port !== '') return false;
  const host = signinHost(url.hostname);
  return (host?.service === 'console' && host.partition === partition) || (partition === 'aws' && otherConsoleHosts.includes(url.hostname));
}

function parseUrl(text: string | undefined): URL | undefined {
  return text !== undefined && URL.canParse(text) ? new URL(text) : undefined;
}
