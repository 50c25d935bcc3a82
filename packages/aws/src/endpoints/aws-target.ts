import { awsHosts } from '#endpoints/aws-hosts.ts';
import { foreignHost } from '#endpoints/foreign-hosts.ts';
import { hostLabels, partitionUnder, splitSuffix, type Suffix } from '#endpoints/host-labels.ts';
import { type PartitionId, partitionOf } from '#endpoints/partitions.ts';
import { regionSetHost } from '#endpoints/region-set-hosts.ts';
import { isS3ControlPrefix, isS3ControlVpce, s3Dashed, s3Global, type S3Name, s3Regional } from '#endpoints/s3-hosts.ts';
import type { Refusal } from '#refusals/refusal.ts';

/** Of the credential scope of a signature that was verified; of SigV4a the region set, `*`. */
export type AwsScope = { readonly service: string; readonly region: string };

/** A host that belongs to the operator's own organisation and is named in full in the configuration. */
export type OwnHost = { readonly host: string; readonly service: string; readonly region: string };

export type AwsTarget = {
  /** name and region to sign with; the region is `*` where `signature` is `v4a` */
  readonly service: string;
  readonly region: string;
  readonly partition: PartitionId;
  /** built from the tables; of the client's text only the names of buckets, access points and accounts are in it */
  readonly host: string;
  readonly signature: 'v4' | 'v4a';
  /** the account that the host names: policy has to hold it against the resource's */
  readonly accountId?: string;
  /** the bucket or access point that the host names: the path holds only the key then */
  readonly bucket?: string;
  /** signed as S3, and another service: the account is told in a header, and no path is an object's */
  readonly isS3Control?: true;
};

export type AwsTargetInput = {
  /** as the client named it: of CONNECT, of SNI, or of the Host header */
  readonly host: string;
  readonly scope: AwsScope;
  readonly ownHosts?: readonly OwnHost[];
};

const NOT_IN_TABLE = 'it is not in the table of AWS services';

/**
 * Where a request goes and what it is signed as. A host is never judged by how it looks: it is looked up, rebuilt from the tables, and the
 * rebuilt one is what is dialled and signed. Under AWS's suffixes are machines of everybody (`ec2-….compute`, `….elb`, `….execute-api`), and
 * a signed request sent there carries a live session token. The signature's service and region must be among the host's own.
 */
export function awsTarget({ host: text, scope, ownHosts = [] }: AwsTargetInput): AwsTarget | Refusal {
  const labels = hostLabels(text);
  if (labels === undefined) return refuse('the host is not a lower-case host name with at most port 443');
  const host = labels.join('.');
  const place = placeOf(labels, ownHosts);
  if (place === undefined) {
    const isRegion = scope.region === '*' || partitionOf(scope.region) !== undefined;
    const reason = isRegion ? NOT_IN_TABLE : `no AWS partition has a region ${JSON.stringify(scope.region.slice(0, 64))}`;
    return refuse(`${host} is not served: ${foreignHost(host) ?? reason}`);
  }
  if (!place.services.includes(scope.service)) {
    return refuse(`credential should be scoped to correct service: '${place.services.join(`' or '`)}' for ${host}`);
  }
  if (!place.signs(scope.region)) return refuse(`credential should be scoped to a valid region for ${host}`);
  const partition = scope.region === '*' ? 'aws' : partitionOf(scope.region)?.id;
  if (partition === undefined || place.host !== host) return refuse(`${host} is not served: ${NOT_IN_TABLE}`);
  const { accountId, bucket, isS3Control } = place;
  return {
    service: scope.service,
    region: scope.region,
    partition,
    host: place.host,
    signature: scope.region === '*' ? 'v4a' : 'v4',
    ...(accountId !== undefined && { accountId }),
    ...(bucket !== undefined && { bucket }),
    ...(isS3Control !== undefined && bucket === undefined && { isS3Control }),
  };
}

/** By the table, which nothing overrules, and else by the operator; undefined where it stands in neither. */
export function placeOf(labels: readonly string[], ownHosts: readonly OwnHost[] = []): Place | undefined {
  return tablePlace(labels) ?? ownPlace(labels.join('.'), ownHosts);
}

/** What a host is by the table. */
export type Place = {
  readonly services: readonly string[];
  readonly host: string;
  readonly accountId?: string;
  readonly bucket?: string;
  readonly isS3Control?: true;
  readonly signs: (region: string) => boolean;
};

function ownPlace(host: string, ownHosts: readonly OwnHost[]): Place | undefined {
  const own = ownHosts.find((candidate) => candidate.host === host);
  if (own === undefined) return undefined;
  const control = own.service === 's3' && isS3ControlVpce(own.host);
  return { services: [own.service], host: own.host, ...(control && { isS3Control: true }), signs: (region) => region === own.region };
}

function tablePlace(labels: readonly string[]): Place | undefined {
  const split = splitSuffix(labels);
  if (split === undefined) return undefined;
  const host = labels.join('.');
  return (
    regionlessPlace(host) ??
    regionSetPlace(host) ??
    regionalPlace(split.inFront, split.suffix) ??
    s3Place(split.inFront.join('.'), split.suffix)
  );
}

function regionlessPlace(host: string): Place | undefined {
  const known = awsHosts().regionless.get(host);
  // S3's has a rule of its own: it takes a signature of the bucket's region.
  if (known === undefined || known.service === 's3') return undefined;
  return { services: [known.service], host, signs: (region) => known.regions.includes(region) };
}

function regionSetPlace(host: string): Place | undefined {
  const known = regionSetHost(host);
  if (known === undefined) return undefined;
  const { service, ...owner } = known;
  return { services: [service], host, ...owner, signs: (region) => region === '*' };
}

function regionalPlace(inFront: readonly string[], suffix: Suffix): Place | undefined {
  const region = inFront.at(-1) ?? '';
  const partition = partitionUnder(suffix, region);
  if (partition === undefined) return undefined;
  const prefix = inFront.slice(0, -1).join('.');
  const host = `${prefix}.${region}.${suffix.text}`;
  const signs = (signed: string): boolean => signed === region;
  const services = awsHosts().prefixes.get(prefix);
  if (services !== undefined) return { services, host, ...(isS3ControlPrefix(prefix) && { isS3Control: true }), signs };
  // Endpoint discovery names cells, which are the service's own.
  if (/^(?:ingest|query)-cell\d{1,4}\.timestream$/.test(prefix)) return { services: ['timestream'], host, signs };
  // A stream of video is told which host of the service's own is its (GetDataEndpoint), a channel likewise.
  if (/^[a-z]-[0-9a-f]{8}\.kinesisvideo$/.test(prefix)) return { services: ['kinesisvideo'], host, signs };
  const accountId = /^(\d{12})\.(?:(?:search-)?ddb|streams-ddb(?:-fips)?)$/.exec(prefix)?.[1];
  if (accountId !== undefined && partition.id === 'aws') return { services: ['dynamodb'], host, accountId, signs };
  const s3 = suffix.dualStack ? undefined : s3Regional(prefix);
  return s3 && { ...s3Owner(s3), host, signs };
}

/** S3 without a region of its own label. */
function s3Place(inFront: string, suffix: Suffix): Place | undefined {
  if (suffix.dualStack) return undefined;
  const host = `${inFront}.${suffix.text}`;
  const dashed = s3Dashed(inFront);
  if (dashed !== undefined && partitionUnder(suffix, dashed.region) !== undefined) {
    return { ...s3Owner(dashed.name), host, signs: (region) => region === dashed.region };
  }
  const global = suffix.text === 'amazonaws.com' ? s3Global(inFront) : undefined;
  if (global === undefined) return undefined;
  return { ...s3Owner(global.name), host, signs: (region) => (global.anyRegion ? region === '*' : partitionOf(region)?.id === 'aws') };
}

function s3Owner({ service, ...owner }: S3Name): Pick<Place, 'services' | 'bucket' | 'accountId' | 'isS3Control'> {
  return { services: [service], ...owner };
}

function refuse(refusal: string): Refusal {
  return { refusal };
}
