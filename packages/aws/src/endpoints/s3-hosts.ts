/** What an S3 host says in front of its region: the signing name, and whose bucket, access point or account it is. */
export type S3Name = {
  readonly service: 's3' | 's3-object-lambda' | 's3-outposts' | 's3express';
  /** the bucket, or the label of an access point, where the host carries it: the path holds the key alone then */
  readonly bucket?: string;
  readonly accountId?: string;
  readonly isS3Control?: true;
};

/** Bucket names in a host: labels of 3 to 63 characters together, each checked before as a DNS label. */
const bucket = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const accessPoint = /^[a-z0-9][a-z0-9-]{1,48}[a-z0-9]-(?<account>\d{12})$/;

/** The endings under a region, `dualstack` first where one is the tail of another. `name` is matched against what stands in front. */
const endings: readonly { readonly end: RegExp; readonly service: S3Name['service']; readonly name: RegExp; readonly bare: boolean }[] = [
  { end: /(?:^|\.)s3(?:-fips)?(?:\.dualstack)?$/, service: 's3', name: bucket, bare: true },
  { end: /(?:^|\.)s3-accesspoint(?:-fips)?(?:\.dualstack)?$/, service: 's3', name: accessPoint, bare: false },
  { end: /(?:^|\.)s3-control(?:-fips)?(?:\.dualstack)?$/, service: 's3', name: /^(?<account>\d{12})$/, bare: true },
  { end: /(?:^|\.)s3-object-lambda(?:-fips)?$/, service: 's3-object-lambda', name: accessPoint, bare: false },
  // The route of WriteGetObjectResponse, which a Lambda function answers GetObject by.
  { end: /(?:^|\.)s3-object-lambda(?:-fips)?$/, service: 's3-object-lambda', name: /^io-[a-z0-9-]{1,60}$/, bare: false },
  {
    end: /(?:^|\.)s3-outposts(?:-fips)?(?:\.dualstack)?$/,
    service: 's3-outposts',
    name: /^[a-z0-9-]{3,50}-(?<account>\d{12})\.(?:op|ec)-[0-9a-z]{1,32}$/,
    bare: true,
  },
  {
    end: /(?:^|\.)s3express(?:-fips)?-(?<zone>[a-z0-9]{2,8}-az\d{1,2})(?:\.dualstack)?$/,
    service: 's3express',
    name: /^[a-z0-9][a-z0-9-]{1,48}--(?<zone>[a-z0-9]{2,8}-az\d{1,2})--xa?-s3$/,
    bare: true,
  },
  { end: /^s3express-control(?:-fips)?(?:\.dualstack)?$/, service: 's3express', name: /^$/, bare: true },
];

/** What stands in front of the region, the account left out: a bucket may be called `s3-control-…`, and is none. */
export function isS3ControlPrefix(text: string): boolean {
  return /^s3-control(?:-fips)?(?:\.dualstack)?$/.test(text);
}

/** S3 Control at a VPC endpoint for S3, which has a name for each of the two: https://docs.aws.amazon.com/AmazonS3/latest/userguide/privatelink-interface-endpoints.html */
export function isS3ControlVpce(host: string): boolean {
  return /^(?:\d{12}\.)?control\.vpce-[0-9a-z-]+\.s3\.[0-9a-z-]+\.vpce\./.test(host);
}

/** S3's hosts under a region, and `s3-us-west-2` of old, whose region stands in the label: give it rewritten as `s3`. */
export function s3Regional(inFront: string): S3Name | undefined {
  for (const { end, service, name, bare } of endings) {
    const ending = end.exec(inFront);
    if (ending === null) continue;
    const owner = inFront.slice(0, ending.index);
    if (owner === '') {
      if (bare) return { service };
      continue;
    }
    const found = name.exec(owner);
    if (found === null) continue;
    const { account, zone } = found.groups ?? {};
    if (ending.groups?.['zone'] !== undefined && ending.groups['zone'] !== zone) continue;
    const named = isS3ControlPrefix(inFront.slice(owner.length + 1)) ? ({ isS3Control: true } as const) : { bucket: owner };
    return { service, ...named, ...(account !== undefined && { accountId: account }) };
  }
  return undefined;
}

/** A region in the old dash style: `s3-eu-west-1`, `b.s3-eu-west-1`, and the second name of us-east-1, `s3-external-1`. */
export function s3Dashed(inFront: string): { readonly region: string; readonly name: S3Name } | undefined {
  const [, owner, text] = /^(?:(.+)\.)?s3-((?:[a-z]+-)+\d{1,2})$/.exec(inFront) ?? [];
  if (text === undefined || (owner !== undefined && !bucket.test(owner))) return undefined;
  const region = text === 'external-1' ? 'us-east-1' : text;
  return { region, name: { service: 's3', ...(owner !== undefined && { bucket: owner }) } };
}

/** Hosts of S3 whose region only the signature tells. With `anyRegion` the signature is one for every region (SigV4a, region set `*`). */
export function s3Global(inFront: string): { readonly name: S3Name; readonly anyRegion: boolean } | undefined {
  const owner = /^(?:(.+)\.)?s3$/.exec(inFront);
  if (owner !== null) {
    const name = owner[1];
    if (name === undefined) return { name: { service: 's3' }, anyRegion: false };
    return bucket.test(name) ? { name: { service: 's3', bucket: name }, anyRegion: false } : undefined;
  }
  // One label: the certificate of accelerate covers no more.
  const accelerated = /^([a-z0-9-]{3,63})\.s3-accelerate(?:\.dualstack)?$/.exec(inFront)?.[1];
  if (accelerated !== undefined) return { name: { service: 's3', bucket: accelerated }, anyRegion: false };
  const multiRegion = /^([a-z0-9]{1,60}\.mrap)\.accesspoint\.s3-global$/.exec(inFront)?.[1];
  return multiRegion === undefined ? undefined : { name: { service: 's3', bucket: multiRegion }, anyRegion: true };
}
