import { consolePartition, partitionOfConsole } from '#console/console-partitions.ts';
import { type PartitionId, partitionOf } from '#endpoints/partitions.ts';
import type { Refusal } from '#refusals/refusal.ts';

export type ConsoleDestinationInput = {
  /** the application's own address; without a scheme https */
  readonly uri: string;
  /** a page that the user asks for, as an address or as a path of the application's host; absent or empty: the application's own */
  readonly destination?: string;
  readonly partition: PartitionId;
};

/** Longer than any deep link; the sign-in address holds it beside a token of its own length. */
const maxLength = 2048;

/**
 * Where the console leads after signing in, or why it must not: a sign-in that goes to a stranger's page is a sign-in of the stranger's. The
 * text is taken for what it is or not at all: printable ASCII without a backslash, https, one of the partition's console hosts exactly.
 */
export function consoleDestination({ uri, destination, partition }: ConsoleDestinationInput): { readonly url: string } | Refusal {
  const console = consolePartition(partition);
  if (console === undefined) {
    return refuse(`the console of partition ${partition} cannot be signed in to from outside: AWS publishes no federation endpoint there`);
  }
  const own = pageOf(uri, partition);
  if ('refusal' in own) return refuse(`the address of the application ${own.refusal}`);
  if (destination === undefined || destination === '') return { url: own.url };
  const isPath = /^\/(?!\/)/.test(destination);
  const page = pageOf(isPath ? `${new URL(own.url).origin}${destination}` : destination, partition);
  return 'refusal' in page ? refuse(`the destination ${page.refusal}`) : { url: page.url };
}

/** The partition whose console an application's `uri` names; undefined where it is no console. */
export function consolePartitionOf(uri: string): PartitionId | undefined {
  const host = hostOf(uri);
  return host === undefined ? undefined : partitionOfConsole(host, regionPartition);
}

const shape = /^(?:https:\/\/)?([a-z0-9.-]+)(?::443)?(\/(?!\/)[^\\]*)?$/;

function hostOf(text: string): string | undefined {
  return text.length <= maxLength && /^[!-~]*$/.test(text) ? shape.exec(text)?.[1] : undefined;
}

function pageOf(text: string, partition: PartitionId): { readonly url: string } | Refusal {
  const host = hostOf(text);
  if (host === undefined)
    return refuse('is not an https address of at most 2048 printable characters, without user, other port or backslash');
  const found = partitionOfConsole(host, regionPartition);
  if (found === undefined) return refuse(`leads to ${host}, which is not a host of the AWS console`);
  if (found !== partition) return refuse(`leads to ${host}, the console of partition ${found}, and the application is in ${partition}`);
  const rest = shape.exec(text)?.[2] ?? '/';
  const url = URL.parse(`https://${host}${rest}`);
  // what a browser makes of it must be on the same host, whatever it is
  return url === null || url.host !== host || url.pathname.startsWith('//') ? refuse('is not an address') : { url: url.href };
}

function regionPartition(region: string): PartitionId | undefined {
  return partitionOf(region)?.id;
}

function refuse(refusal: string): Refusal {
  return { refusal };
}
