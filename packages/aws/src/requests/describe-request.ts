import { limits } from '@postern/limits';
import type { Refusal } from '#refusals/refusal.ts';
import type { AwsProtocol, AwsRequest, RequestBody, RequestHead } from '#requests/aws-request.ts';
import { isNamedOnce, isPlainForm, onlyAction, secondName } from '#requests/double-names.ts';
import { type FormPair, hasTooManyPairs, maxFormPairs, parseForm } from '#requests/form.ts';
import { isExpressControl, isS3Control, protocolOf, spokenName } from '#requests/protocol-of.ts';
import { headerValues, onlyHeader } from '#requests/raw-headers.ts';
import { restOperation } from '#requests/rest-operation.ts';
import { matchesRoute, overridesMethod } from '#requests/rest-route.ts';
import { keysOfS3 } from '#requests/s3-keys.ts';
import { s3Operation } from '#requests/s3-operation.ts';
import { serviceTable, tableName } from '#requests/service-table.ts';

/** How many bytes of the body describeRequest must see, at most: none but of forms. */
export function bodyWanted(head: RequestHead): number {
  const protocol = protocolOf(head);
  return protocol === 'query' || protocol === 'ec2' ? limits.awsFormBytes : 0;
}

/**
 * What a request asks for: for the audit, for the shape of a refusal, and for the rules that hang on an operation. Of a service with
 * operations that hand out keys or carry a pre-signed address within, a request must be understood without doubt: one that speaks a protocol the
 * service has not, or names its operation twice, is refused, since AWS may read it otherwise. Elsewhere what is not understood has no name.
 */
export function describeRequest(head: RequestHead, body?: RequestBody): AwsRequest | Refusal {
  const protocol = protocolOf(head);
  const doubt = isWatched(head) ? doubtOf(head, { protocol, body }) : undefined;
  if (doubt !== undefined) return { refusal: doubt };
  const operation = keysOfS3(head) ?? (isNamedOnce(head, protocol) ? operationOf(head, { protocol, body }) : undefined);
  return operation === undefined ? { protocol } : { protocol, operation };
}

function isWatched({ service }: RequestHead): boolean {
  return serviceTable().watched.has(tableName(service));
}

type Seen = { readonly protocol: AwsProtocol; readonly body: RequestBody | undefined };

function operationOf(head: RequestHead, { protocol, body }: Seen): string | undefined {
  switch (protocol) {
    case 'json-1.0':
    case 'json-1.1':
      return /^[\w.-]+\.(\w{1,128})$/.exec(onlyHeader(head.headers, 'x-amz-target') ?? '')?.[1];
    case 'rpc-v2-cbor':
      return /^\/service\/[\w.-]+\/operation\/(\w{1,128})$/.exec(head.path)?.[1];
    case 'query':
    case 'ec2':
      return actionOf(head, body);
    case 's3':
      return isExpressControl(head) ? ruledOrNamed({ ...head, service: 's3' }) : s3Operation(head);
    case 'rest-json':
    case 'rest-xml':
      return ruledOrNamed(head);
  }
}

function actionOf(
  { query, headers }: RequestHead,
  { bytes, whole }: RequestBody = { bytes: Buffer.alloc(0), whole: true },
): string | undefined {
  if (!whole || (bytes.length > 0 && !isPlainForm(headers))) return undefined;
  return onlyAction(`${query}&${bytes.toString('latin1')}`);
}

/** What a rule hangs on is met generously and comes first; no name of such an operation is given to a request that it does not meet. */
function ruledOrNamed(head: RequestHead): string | undefined {
  const ruled = serviceTable().ruled.get(tableName(head.service)) ?? [];
  const known = ruled.find(({ route }) => route !== undefined && matchesRoute(head, route));
  if (known !== undefined) return known.operation;
  const name = restOperation(head);
  return ruled.some(({ operation }) => operation === name) ? undefined : name;
}

/** Why a request to a watched service may mean something else to AWS than to us. */
function doubtOf(head: RequestHead, { protocol, body }: Seen): string | undefined {
  const { service } = head;
  if (headerValues(head.headers, 'content-encoding').some((value) => value !== '') && protocol !== 's3') {
    return `requests to ${service} are not taken compressed`;
  }
  // Refused rather than removed: no SDK sends one, and the client has perhaps signed it.
  if (overridesMethod(head)) return `requests to ${service} may not ask for another method than their own`;
  if (protocol === 's3' || (protocol === 'rest-xml' && isS3Control(head))) return undefined;
  if (serviceTable().spoken.get(service)?.has(spokenName(protocol)) !== true) {
    return `${service} is not spoken to in ${protocol}: use an SDK or the AWS CLI as it comes`;
  }
  const second = secondName(head, protocol);
  if (second !== undefined || protocol === 'rest-json' || protocol === 'rest-xml') return second;
  const ofForm = protocol === 'query' || protocol === 'ec2' ? doubtOfForm(head, body) : undefined;
  if (ofForm !== undefined) return ofForm;
  return operationOf(head, { protocol, body }) === undefined ? `the request to ${service} does not name one operation` : undefined;
}

function doubtOfForm(head: RequestHead, body: RequestBody | undefined): string | undefined {
  const { service } = head;
  if (body?.whole === false) return `a form for ${service} may have ${limits.awsFormBytes} bytes at most`;
  if (body !== undefined && hasTooManyPairs(body.bytes)) return `a form for ${service} may have ${maxFormPairs} parameters at most`;
  const pairs = [head.query, body?.bytes.toString('latin1') ?? ''].map(parseForm);
  if (pairs.includes(undefined)) return `the parameters for ${service} are not encoded as a form is`;
  const actions = pairs.flatMap((found: readonly FormPair[] | undefined) => found ?? []).filter(({ name }) => /^action$/i.test(name));
  const [action] = actions;
  if (action === undefined) return `the request to ${service} names no Action`;
  if (actions.length > 1) return `the request to ${service} names its Action twice`;
  // as it stands and not only as it decodes: the name that is recorded is read from the raw text
  return /^Action=\w{1,128}$/.test(action.raw) ? undefined : `the request to ${service} does not write its Action plainly`;
}
