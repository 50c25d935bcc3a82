import { consolePartition, signInHosts } from '#console/console-partitions.ts';
import type { PartitionId } from '#endpoints/partitions.ts';

export type SignInUrlInput = {
  readonly partition: PartitionId;
  readonly token: string;
  /** of consoleDestination */
  readonly destination: string;
  /** an address of ours: the console sends the user there when its session ends */
  readonly issuer: string;
};

/** That an address is one that `signInUrl` makes, for whoever is told it by another process and prints it, or sends a person there. */
export function isSignInUrl(url: string): boolean {
  const parsed = /^[!-~]+$/.test(url) ? URL.parse(url) : null;
  if (parsed === null || parsed.protocol !== 'https:' || parsed.pathname !== '/federation') return false;
  return parsed.username === '' && parsed.password === '' && parsed.port === '' && signInHosts().has(parsed.hostname);
}

/** How long AWS lets a sign-in address be opened, from the token on. */
export const signInUrlSeconds = 900;

/** The address that signs a browser in: a secret worth fifteen minutes. Throws RangeError for a partition without a console for us. */
export function signInUrl({ partition, token, destination, issuer }: SignInUrlInput): string {
  const host = consolePartition(partition)?.signInHost;
  if (host === undefined) throw new RangeError(`partition ${partition} has no sign-in service`);
  const query = new URLSearchParams({ Action: 'login', Issuer: issuer, Destination: destination, SigninToken: token });
  return `https://${host}/federation?${query.toString()}`;
}
