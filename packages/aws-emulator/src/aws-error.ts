/** A refusal in the words of AWS; each service puts it into its own shape. */
export class AwsError extends Error {
  override readonly name = 'AwsError';
  readonly code: string;
  readonly status: number;
  constructor(code: string, message: string, status = 400) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Faults of the signature have other names in the JSON protocol than in STS's. */
const stsNames: Readonly<Record<string, readonly [string, number]>> = {
  InvalidSignatureException: ['SignatureDoesNotMatch', 403],
  MissingAuthenticationTokenException: ['MissingAuthenticationToken', 403],
  IncompleteSignatureException: ['IncompleteSignature', 400],
  UnrecognizedClientException: ['InvalidClientTokenId', 403],
  ExpiredTokenException: ['ExpiredToken', 403],
  UnknownOperationException: ['InvalidAction', 400],
};

/** AWS JSON 1.0: boto3 reads the type from the body, Java and JavaScript also from the header. */
export function jsonError(error: AwsError, requestId: string): Answer {
  const namespace = error.code === 'ValidationException' ? 'com.amazon.coral.validate' : 'com.amazon.coral.service';
  const body = JSON.stringify({ __type: `${namespace}#${error.code}`, message: error.message, Message: error.message });
  return {
    status: error.status,
    headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amzn-requestid': requestId, 'x-amzn-errortype': error.code },
    body: Buffer.from(body),
  };
}

export function stsError(error: AwsError, requestId: string): Answer {
  const [code, status] = stsNames[error.code] ?? [error.code, error.status];
  const type = status >= 500 ? 'Receiver' : 'Sender';
  const body =
    `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">\n  <Error>\n    <Type>${type}</Type>\n    <Code>${escapeXml(code)}</Code>\n` +
    `    <Message>${escapeXml(error.message)}</Message>\n  </Error>\n  <RequestId>${requestId}</RequestId>\n</ErrorResponse>\n`;
  return { status, headers: { 'content-type': 'text/xml', 'x-amzn-requestid': requestId }, body: Buffer.from(body) };
}

export function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
