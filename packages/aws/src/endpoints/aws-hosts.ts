import { hostPrefixes, operationPrefixes, regionlessHosts } from '#endpoints/aws-hosts.generated.ts';

/** What a host without a region signs as: `cloudfront.amazonaws.com` stands in two partitions, so its regions are several. */
export type RegionlessHost = { readonly service: string; readonly regions: readonly string[] };

export type AwsHosts = {
  /**
   * Signing names of the labels that stand in front of a region, `streams.dynamodb` → `dynamodb`, those of single operations included. Two
   * where an older service put an operation where a newer one lives: `routes.geo` is geo-routes and geo.
   */
  readonly prefixes: ReadonlyMap<string, readonly string[]>;
  readonly regionless: ReadonlyMap<string, RegionlessHost>;
};

let table: AwsHosts | undefined;

/** The table of AWS's own hosts. Made when it is first asked for: a process that never signs for AWS at large does not pay for it. */
export function awsHosts(): AwsHosts {
  table ??= { prefixes: prefixTable(), regionless: regionlessTable() };
  return table;
}

function prefixTable(): Map<string, readonly string[]> {
  const ofOperations = new Map(rows(operationPrefixes).map(([service, ...found]) => [service, found]));
  const prefixes = new Map<string, readonly string[]>();
  for (const [service, ...found] of rows(hostPrefixes)) {
    const alone = [service];
    for (const label of found.flatMap((text) => (text.endsWith('*') ? [text.slice(0, -1), `${text.slice(0, -1)}-fips`] : [text]))) {
      for (const prefix of [label, ...(ofOperations.get(service) ?? []).map((operation) => operation + label)]) {
        const others = prefixes.get(prefix);
        prefixes.set(prefix, others === undefined ? alone : [...others, service]);
      }
    }
  }
  return prefixes;
}

function regionlessTable(): Map<string, RegionlessHost> {
  return new Map(rows(regionlessHosts).map(([host, service = '', ...regions]) => [host, { service, regions }]));
}

function rows(text: string): [string, ...string[]][] {
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const [first = '', ...rest] = line.split(' ');
      return [first, ...rest];
    });
}
