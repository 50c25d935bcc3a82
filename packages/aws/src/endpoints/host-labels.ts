import { type Partition, partitionOf, partitions } from '#endpoints/partitions.ts';

/**
 * The labels of a host as a client named it, `:443` allowed, or undefined where the text is anything but a lower-case ASCII host name:
 * user info, other ports, a trailing dot, upper case, escapes, other alphabets and addresses (`0x7f.1`, `127.0.0.1`, `[::1]`).
 */
export function hostLabels(text: string): readonly string[] | undefined {
  if (text.length > 257) return undefined;
  const labels = (text.endsWith(':443') ? text.slice(0, -4) : text).split('.');
  if (labels.length < 3 || labels.join('.').length > 253) return undefined;
  if (!labels.every((label) => label.length <= 63 && /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/.test(label))) return undefined;
  return /^[a-z]{2,}$/.test(labels.at(-1) ?? '') ? labels : undefined;
}

export type Suffix = {
  /** as in DNS, without the leading dot */
  readonly text: string;
  readonly dualStack: boolean;
  /** aws and aws-us-gov share both of theirs, so the region has to decide */
  readonly partitions: readonly Partition[];
};

const suffixes: readonly Suffix[] = [...new Set(partitions.flatMap((p) => [p.dnsSuffix, p.dualStackSuffix]))].map((text) => ({
  text,
  dualStack: partitions.some((p) => p.dualStackSuffix === text),
  partitions: partitions.filter((p) => p.dnsSuffix === text || p.dualStackSuffix === text),
}));

/** A host cut at AWS's suffix; `inFront` are the labels before it, the region's among them. No suffix is the tail of another. */
export function splitSuffix(labels: readonly string[]): { inFront: readonly string[]; suffix: Suffix } | undefined {
  const host = labels.join('.');
  const suffix = suffixes.find(({ text }) => host.endsWith(`.${text}`));
  return suffix && { inFront: labels.slice(0, labels.length - suffix.text.split('.').length), suffix };
}

/** The partition of a region, if the suffix is one of that partition's. */
export function partitionUnder(suffix: Suffix, region: string): Partition | undefined {
  const partition = partitionOf(region);
  return partition !== undefined && suffix.partitions.includes(partition) ? partition : undefined;
}
