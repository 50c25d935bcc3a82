import type { Answer, AwsError } from '#protocols/aws-error.ts';
import { encodeCbor } from '#protocols/cbor.ts';
import { element, escapeXml } from '#protocols/xml.ts';

/** How a service speaks. Source: Smithy, "AWS protocols". */
export type Protocol =
  | { readonly kind: 'json'; readonly contentType: string }
  | { readonly kind: 'rest-json' }
  | { readonly kind: 'query'; readonly namespace: string }
  | { readonly kind: 'ec2' }
  | { readonly kind: 's3' }
  | { readonly kind: 'rest-xml'; readonly namespace: string }
  | { readonly kind: 'cbor' }
  | { readonly kind: 'html' };

/** Faults of the signature have other names in the XML protocols than in JSON, and again others in S3. */
const xmlNames: Readonly<Record<string, readonly [string, number]>> = {
  InvalidSignatureException: ['SignatureDoesNotMatch', 403],
  MissingAuthenticationTokenException: ['MissingAuthenticationToken', 403],
  IncompleteSignatureException: ['IncompleteSignature', 400],
  UnrecognizedClientException: ['InvalidClientTokenId', 403],
  ExpiredTokenException: ['ExpiredToken', 403],
  UnknownOperationException: ['InvalidAction', 400],
};
const s3Names: Readonly<Record<string, readonly [string, number]>> = {
  InvalidSignatureException: ['SignatureDoesNotMatch', 403],
  MissingAuthenticationTokenException: ['AccessDenied', 403],
  IncompleteSignatureException: ['AuthorizationHeaderMalformed', 400],
  UnrecognizedClientException: ['InvalidAccessKeyId', 403],
  ExpiredTokenException: ['ExpiredToken', 400],
  UnknownOperationException: ['MethodNotAllowed', 405],
};
const ec2Names: typeof xmlNames = {
  InvalidSignatureException: ['SignatureDoesNotMatch', 403],
  UnrecognizedClientException: ['AuthFailure', 401],
  ExpiredTokenException: ['RequestExpired', 400],
  MissingAuthenticationTokenException: ['MissingAuthenticationToken', 403],
};
const forbidden: readonly string[] = [
  'InvalidSignatureException',
  'MissingAuthenticationTokenException',
  'IncompleteSignatureException',
  'UnrecognizedClientException',
  'ExpiredTokenException',
];

export function errorAnswer(error: AwsError, protocol: Protocol, requestId: string): Answer {
  const answer = shaped(error, protocol, requestId);
  return { ...answer, headers: { ...answer.headers, ...error.headers } };
}

function shaped(error: AwsError, protocol: Protocol, requestId: string): Answer {
  switch (protocol.kind) {
    case 'json':
      return jsonError(error, protocol.contentType);
    case 'rest-json':
      return restJsonError(error);
    case 'query':
    case 'rest-xml':
      return queryError(error, protocol.namespace, requestId);
    case 'ec2':
      return ec2Error(error, requestId);
    case 's3':
      return s3Error(error, requestId);
    case 'cbor':
      return {
        status: error.status,
        headers: { 'content-type': 'application/cbor', 'smithy-protocol': 'rpc-v2-cbor', 'x-amzn-errortype': error.code },
        body: encodeCbor({ __type: error.code, message: error.message }),
      };
    case 'html':
      return { status: error.status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: Buffer.from(`${error.message}\n`) };
  }
}

/** AWS JSON: boto3 reads the type from the body, Java and JavaScript also from the header. */
function jsonError(error: AwsError, contentType: string): Answer {
  const namespace = error.code === 'ValidationException' ? 'com.amazon.coral.validate' : 'com.amazon.coral.service';
  const body = JSON.stringify({ __type: `${namespace}#${error.code}`, message: error.message, Message: error.message });
  return { status: error.status, headers: { 'content-type': contentType, 'x-amzn-errortype': error.code }, body: Buffer.from(body) };
}

function restJsonError(error: AwsError): Answer {
  return {
    status: forbidden.includes(error.code) ? 403 : error.status,
    headers: { 'content-type': 'application/json', 'x-amzn-errortype': error.code },
    body: Buffer.from(JSON.stringify({ message: error.message, Message: error.message })),
  };
}

function queryError(error: AwsError, namespace: string, requestId: string): Answer {
  const [code, status] = xmlNames[error.code] ?? [error.code, error.status];
  const type = status >= 500 ? 'Receiver' : 'Sender';
  const body =
    `<ErrorResponse xmlns="${namespace}">\n  <Error>\n    <Type>${type}</Type>\n    <Code>${escapeXml(code)}</Code>\n` +
    `    <Message>${escapeXml(error.message)}</Message>\n  </Error>\n  <RequestId>${requestId}</RequestId>\n</ErrorResponse>\n`;
  return { status, headers: { 'content-type': 'text/xml' }, body: Buffer.from(body) };
}

function ec2Error(error: AwsError, requestId: string): Answer {
  const [code, status] = ec2Names[error.code] ?? [error.code, error.status];
  const body =
    '<?xml version="1.0" encoding="UTF-8"?>\n' +
    `<Response><Errors><Error>${element('Code', code)}${element('Message', error.message)}</Error></Errors><RequestID>${requestId}</RequestID></Response>`;
  return { status, headers: { 'content-type': 'text/xml;charset=UTF-8' }, body: Buffer.from(body) };
}

function s3Error(error: AwsError, requestId: string): Answer {
  const [code, status] = error.s3 ?? s3Names[error.code] ?? [error.code, error.status];
  const details = Object.entries(error.details).map(([name, value]) => element(name, value));
  const body =
    '<?xml version="1.0" encoding="UTF-8"?>\n' +
    `<Error>${element('Code', code)}${element('Message', error.message)}${details.join('')}<RequestId>${requestId}</RequestId><HostId>${requestId}</HostId></Error>`;
  return { status, headers: { 'content-type': 'application/xml' }, body: Buffer.from(body) };
}
