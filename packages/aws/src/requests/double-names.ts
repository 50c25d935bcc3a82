import type { AwsProtocol, RequestHead } from '#requests/aws-request.ts';
import { spelledAction } from '#requests/form.ts';
import { spokenName } from '#requests/protocol-of.ts';
import { headerValues } from '#requests/raw-headers.ts';
import { serviceTable, speaksS3 } from '#requests/service-table.ts';

/** Read in forms by AWS to this day, under the path of a queue, though no botocore writes them any more. */
const formsOfThen: ReadonlySet<string> = new Set(['sqs']);

/** Whether the name of a request's operation is AWS's reading too: in a protocol that the service speaks, and named in no other one besides. */
export function isNamedOnce(head: RequestHead, protocol: AwsProtocol): boolean {
  const { service } = head;
  if (speaksS3(service)) return true;
  const isSpoken = serviceTable().spoken.get(service)?.has(spokenName(protocol)) === true;
  return (isSpoken || (protocol === 'query' && formsOfThen.has(service))) && secondName(head, protocol) === undefined;
}

/** What of a head could name another operation in another protocol than the one that the request is taken for, in words. */
export function secondName({ service, headers, path, query }: RequestHead, protocol: AwsProtocol): string | undefined {
  const isJson = protocol === 'json-1.0' || protocol === 'json-1.1';
  const isForm = protocol === 'query' || protocol === 'ec2';
  const twice = `the request to ${service} names its operation in two ways`;
  if (headerValues(headers, 'smithy-protocol').length > (protocol === 'rpc-v2-cbor' ? 1 : 0)) {
    return `the request to ${service} names another protocol than its own in smithy-protocol, or names it twice`;
  }
  if (!isJson && headerValues(headers, 'x-amz-target').length > 0) return twice;
  if ((isJson || isForm) && path !== '/' && !formsOfThen.has(service)) return `requests to ${service} in ${protocol} have the path /`;
  const type = headerValues(headers, 'content-type').join(',').toLowerCase();
  // application/x-amz-cbor-1.1, which Java writes, is JSON's protocol in another notation
  if (isJson && /x-www-form-urlencoded|application\/cbor/.test(type)) return twice;
  if (protocol === 'rpc-v2-cbor' && /x-www-form-urlencoded|json/.test(type)) return twice;
  const isOnlyRest = protocol.startsWith('rest-') && serviceTable().spoken.get(service)?.has('query') !== true;
  return !isForm && !isOnlyRest && query.search(spelledAction) >= 0 ? twice : undefined;
}

/** Whether a form is neither compressed nor in letters other than the ones that are read here. */
export function isPlainForm(headers: readonly string[]): boolean {
  const types = headerValues(headers, 'content-type').join(',');
  return (
    headerValues(headers, 'content-encoding').every((value) => value === '') &&
    /^(?:application\/x-www-form-urlencoded(?:\s*;\s*charset="?(?:utf-8|iso-8859-1|us-ascii)"?)?\s*;?\s*)?$/i.test(types.trim())
  );
}

/** The Action of a form, where no reader of forms can find another in it, however that is written and wherever it stands. */
export function onlyAction(text: string): string | undefined {
  const [found, another] = text.matchAll(spelledAction);
  if (found === undefined || another !== undefined) return undefined;
  return /^&?Action=(\w{1,128})(?:&|$)/.exec(text.slice(found.index, found.index + 150))?.[1];
}
