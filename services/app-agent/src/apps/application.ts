import type { OwnHost, PartitionId } from '@postern/aws';
import { type App, appUri, consoleAddress, validateApp } from '@postern/resources';

/** An application that is served: the console and the API of AWS in one partition. Checked, immutable. */
export interface Application {
  readonly name: string;
  /** A page of the console: where a sign-in without another destination leads. */
  readonly uri: string;
  readonly description: string;
  readonly publicAddress: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly partition: PartitionId;
  readonly assumeRoleArn: string | undefined;
  readonly externalId: string | undefined;
  readonly ownHosts: readonly OwnHost[];
  readonly origin: 'config' | 'dynamic';
}

/**
 * The last of three doors (auth and the configuration check before): what was stored by an older version or by hand is checked again
 * where it is used. A problem is a sentence that names the field.
 */
export function readApplication(
  app: App,
  more: { readonly origin: 'config' | 'dynamic'; readonly assumeRoleArn?: string | undefined },
): Application | { readonly problem: string } {
  const [problem] = validateApp(app);
  if (problem !== undefined) return { problem: `application ${app.name}: ${problem.path.at(-1)} ${problem.message}` };
  const uri = appUri(app);
  const address = consoleAddress(uri);
  if ('refusal' in address) return { problem: `application ${app.name}: uri ${uri} ${address.refusal}` };
  return {
    name: app.name,
    uri,
    description: app.description ?? '',
    publicAddress: app.publicAddress ?? '',
    labels: app.labels,
    partition: address.partition,
    assumeRoleArn: more.assumeRoleArn,
    externalId: app.externalId,
    ownHosts: app.ownHosts ?? [],
    origin: more.origin,
  };
}
