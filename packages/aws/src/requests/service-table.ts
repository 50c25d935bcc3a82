import { credentialLines, presignedLines, protocolLines, unsignedLines } from '#requests/services.generated.ts';

/** How botocore names what a service speaks; `json` is 1.0 or 1.1, which the content type tells. */
export type Spoken = 'json' | 'rest-json' | 'rest-xml' | 's3' | 'query' | 'ec2' | 'smithy-rpc-v2-cbor';

export type KnownOperation = {
  readonly service: string;
  readonly operation: string;
  /** how a REST service is asked for it: method and path, `*` for what the client fills in, `?x` for what its query must have */
  readonly route?: string;
};

export type ServiceTable = {
  readonly spoken: ReadonlyMap<string, ReadonlySet<string>>;
  /** what hands out keys; `keys` are the members of the answer that hold their ids */
  readonly credentials: readonly (KnownOperation & { readonly keys: readonly string[] })[];
  readonly unsigned: readonly KnownOperation[];
  readonly presigned: readonly (KnownOperation & { readonly member: string })[];
  /** by service those of the first two kinds, in their order */
  readonly ruled: ReadonlyMap<string, readonly KnownOperation[]>;
  /** services of which a request must be understood, or it is refused: those with operations of the two kinds above */
  readonly watched: ReadonlySet<string>;
};

let table: ServiceTable | undefined;

/** Made when it is first asked for: a process that serves DynamoDB alone does not pay for it. */
export function serviceTable(): ServiceTable {
  table ??= readTable();
  return table;
}

function readTable(): ServiceTable {
  const spoken = new Map<string, Set<string>>();
  for (const [protocol = '', ...services] of lines(protocolLines)) {
    for (const service of services) spoken.set(service, (spoken.get(service) ?? new Set()).add(protocol));
  }
  const credentials = lines(credentialLines).map(([service, operation, keys, ...route]) => ({
    ...known(service, operation, route),
    keys: keys?.split(',') ?? [],
  }));
  const unsigned = lines(unsignedLines).map(([service, operation, ...route]) => known(service, operation, route));
  const presigned = lines(presignedLines).map(([service, operation, member = '']) => ({ ...known(service, operation, []), member }));
  const ruled = Map.groupBy<string, KnownOperation>([...credentials, ...unsigned], ({ service }) => service);
  const watched = new Set([...credentials, ...presigned].map(({ service }) => service));
  return { spoken, credentials, unsigned, presigned, ruled, watched };
}

function known(service = '', operation = '', route: readonly string[]): KnownOperation {
  return { service, operation, ...(route.length > 0 && { route: route.join(' ') }) };
}

function lines(text: string): string[][] {
  return text
    .trim()
    .split('\n')
    .map((line) => line.split(' '));
}

const s3Family: ReadonlySet<string> = new Set(['s3', 's3express', 's3-object-lambda', 's3-outposts']);

/** Signing names under which S3's own protocol is spoken. */
export function speaksS3(service: string): boolean {
  return s3Family.has(service);
}

/** The name under which the tables know a service: all of S3's signing names are one. */
export function tableName(service: string): string {
  return speaksS3(service) ? 's3' : service;
}
