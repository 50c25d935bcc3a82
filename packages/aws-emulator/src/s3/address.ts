import { type RequestHead, queryMap, splitTarget } from '#exchange/request-head.ts';
import type { AwsHost } from '#hosts/aws-host.ts';
import { AwsError } from '#protocols/aws-error.ts';
import { percentDecode } from '#sigv4/percent.ts';

/** What a request to S3 is about. */
export interface S3Address {
  readonly bucket: string | undefined;
  /** Undefined where the bucket itself is meant. Any text, byte for byte: `..`, `a//b`, `/`, `a%2Fb` are keys as any other. */
  readonly key: string | undefined;
  readonly query: ReadonlyMap<string, string>;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const maxKeyBytes = 1024;

/** Bucket and key, of a virtual host or out of the path, which is cut as it stands and decoded once. */
export function s3Address(head: RequestHead, host: AwsHost): S3Address {
  const { path, query } = splitTarget(head);
  const parameters = queryMap(query);
  const rest = path.slice(1);
  if (host.bucket !== undefined) return { bucket: host.bucket, key: rest === '' ? undefined : keyOf(rest), query: parameters };
  const slash = rest.indexOf('/');
  const bucket = slash < 0 ? rest : rest.slice(0, slash);
  const key = slash < 0 ? '' : rest.slice(slash + 1);
  return { bucket: bucket === '' ? undefined : bucket, key: key === '' ? undefined : keyOf(key), query: parameters };
}

export function keyOf(wire: string): string {
  const bytes = percentDecode(wire);
  if (bytes.length > maxKeyBytes) throw new AwsError('KeyTooLongError', 'Your key is too long');
  try {
    return utf8.decode(bytes);
  } catch {
    throw new AwsError('InvalidURI', "Couldn't parse the specified URI.");
  }
}
