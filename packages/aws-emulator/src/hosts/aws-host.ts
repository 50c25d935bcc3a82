import { regionalHost } from '#hosts/partitions.ts';
import { s3Host } from '#hosts/s3-host.ts';
import { signinHost } from '#hosts/signin-host.ts';
import { namedByLabel, namedEverywhere, namedGlobally } from '#hosts/signing-names.ts';

export type ServiceId =
  | 'sts'
  | 'dynamodb'
  | 'dynamodb-streams'
  | 's3'
  | 'lambda'
  | 'iam'
  | 'bedrock-runtime'
  | 'ec2'
  | 'cloudwatch'
  | 'route53'
  | 'timestream'
  | 'kinesisvideo'
  | 'ssmmessages'
  | 'logs'
  | 'signin'
  | 'console'
  /** Any other service of AWS: its signature is verified, and its answer is empty. */
  | 'other';

/** What an AWS host stands for. */
export interface AwsHost {
  readonly service: ServiceId;
  readonly signingName: string;
  /** Undefined where the host does not name one: then the signature's counts. */
  readonly region?: string;
  /** S3 and its relatives: the path is signed as it stands. */
  readonly verbatimPath?: true;
  /** Of a virtual host or an access point. */
  readonly bucket?: string;
  /** The host takes SigV4a and nothing else. */
  readonly sigV4a?: true;
}

export function awsHost(host: string): AwsHost | undefined {
  const name = host.replace(/:(?:443|80)$/u, '');
  const signin = signinHost(name);
  if (signin !== undefined) return { service: signin.service, signingName: 'signin' };
  const global = namedGlobally(name) ?? namedEverywhere(name);
  if (global !== undefined) return global;
  const parts = regionalHost(name);
  const s3 = s3Host(name, parts);
  if (s3 !== undefined) return s3;
  if (parts === undefined) return undefined;
  const named = namedByLabel(parts.label);
  return named === undefined ? undefined : { ...named, region: parts.region };
}
