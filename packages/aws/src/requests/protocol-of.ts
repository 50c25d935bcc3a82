import type { AwsProtocol, RequestHead } from '#requests/aws-request.ts';
import { spelledAction } from '#requests/form.ts';
import { headerValues } from '#requests/raw-headers.ts';
import { type Spoken, serviceTable, speaksS3 } from '#requests/service-table.ts';

/**
 * How a request is written, from its head alone: what its refusal must look like. By what the request says of itself, and only where it says
 * nothing by what the service speaks: SDKs of some years ago speak the protocols of then (SQS in forms), and still do so to AWS.
 */
export function protocolOf(head: RequestHead): AwsProtocol {
  const { service, target } = head;
  if (speaksS3(service)) {
    if (isS3Control(head)) return 'rest-xml';
    return service === 's3-outposts' && target?.bucket === undefined ? 'rest-json' : 's3';
  }
  const spoken = serviceTable().spoken.get(service);
  if (headerValues(head.headers, 'smithy-protocol')[0]?.trim().toLowerCase() === 'rpc-v2-cbor') return 'rpc-v2-cbor';
  if (headerValues(head.headers, 'x-amz-target').length > 0) return jsonVersion(head);
  if (spoken?.has('ec2') === true) return 'ec2';
  const isRest = spoken !== undefined && [...spoken].every((protocol) => protocol.startsWith('rest-'));
  // Its forms go to / however their type is written, and what it has of REST has paths.
  if (!isRest && (looksLikeForm(head) || (spoken?.has('query') === true && head.path === '/'))) return 'query';
  for (const [name, protocol] of silent) if (spoken?.has(name) === true) return protocol ?? jsonVersion(head);
  return 'rest-json';
}

/** What a request that says nothing is taken for, by what its service speaks; undefined: a version of JSON. */
const silent: readonly (readonly [Spoken, AwsProtocol | undefined])[] = [
  ['rest-xml', 'rest-xml'],
  ['rest-json', 'rest-json'],
  ['query', 'query'],
  ['json', undefined],
];

/** The table of hosts tells; before a host is known the account id, which every request of it carries. */
export function isS3Control({ target, headers }: Pick<RequestHead, 'target' | 'headers'>): boolean {
  return target === undefined ? headerValues(headers, 'x-amz-account-id').length > 0 : target.isS3Control === true;
}

/** S3 Control of directory buckets is at a host with S3's own operations for them; no bucket there has such a name. */
export function isExpressControl({ target, path }: Pick<RequestHead, 'target' | 'path'>): boolean {
  return path.startsWith('/v20180820/') && /^s3express-control[.-]/.test(target?.host ?? '');
}

function jsonVersion({ headers, service }: RequestHead): AwsProtocol {
  const type = headerValues(headers, 'content-type')[0]?.toLowerCase() ?? '';
  if (type.includes('json-1.0')) return 'json-1.0';
  return service === 'dynamodb' && !type.includes('json-1.1') ? 'json-1.0' : 'json-1.1';
}

export function looksLikeForm({ headers, query }: Pick<RequestHead, 'headers' | 'query'>): boolean {
  const type = headerValues(headers, 'content-type')[0]?.trimStart().toLowerCase() ?? '';
  return type.startsWith('application/x-www-form-urlencoded') || query.search(spelledAction) >= 0;
}

/** The name of a protocol in the service table. */
export function spokenName(protocol: AwsProtocol): Spoken {
  if (protocol === 'json-1.0' || protocol === 'json-1.1') return 'json';
  return protocol === 'rpc-v2-cbor' ? 'smithy-rpc-v2-cbor' : protocol;
}
