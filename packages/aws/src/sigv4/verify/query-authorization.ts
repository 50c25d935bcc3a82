import { decodePercent } from '#sigv4/canonical/percent-encoding.ts';
import { type Authorization, parseCredential, parseSignedHeaders, signingAlgorithm } from '#sigv4/verify/authorization-header.ts';
import { isSignature } from '#sigv4/keys/prove.ts';
import { refuse, type SignatureRefusal } from '#sigv4/signature-refusal.ts';

export type QueryAuthorization = {
  readonly authorization: Authorization;
  /** YYYYMMDDTHHMMSSZ, not yet judged */
  readonly amzDate: string;
  /** seconds, not yet judged */
  readonly expires: string;
  readonly securityToken: string | undefined;
  readonly regionSet: string | undefined;
  /** a payload line that the client's SDK moved from the headers into the query */
  readonly contentSha256: string | undefined;
  /** the raw query without X-Amz-Signature, which is what was signed */
  readonly signedQuery: string;
  /** the raw query without anything of the signature's, in the client's order and spelling */
  readonly ownQuery: string;
};

const required = ['X-Amz-Algorithm', 'X-Amz-Credential', 'X-Amz-Date', 'X-Amz-Expires', 'X-Amz-SignedHeaders', 'X-Amz-Signature'] as const;
const known: ReadonlyMap<string, string> = new Map(
  [...required, 'X-Amz-Security-Token', 'X-Amz-Region-Set'].map((name) => [name.toLowerCase(), name]),
);

/**
 * The parameters of query authentication. Undefined where the query holds none. Each may stand there once and in AWS's own spelling: a
 * second one, or one in other letters, could be what another parser reads.
 * Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
 */
export function readQueryAuthorization(rawQuery: string): QueryAuthorization | SignatureRefusal | undefined {
  if (!/x-amz-|%/i.test(rawQuery)) return undefined;
  const values = new Map<string, string>();
  const own: string[] = [];
  const signed: string[] = [];
  let contentSha256: string | undefined;
  for (const part of rawQuery.split('&')) {
    const equals = part.indexOf('=');
    const name = decoded(equals < 0 ? part : part.slice(0, equals));
    const spelling = known.get(name.toLowerCase());
    if (spelling !== undefined && (spelling !== name || values.has(name)))
      return refuse('bad_request', `the query parameter ${spelling} must stand there once and in this spelling`);
    const value = decoded(equals < 0 ? '' : part.slice(equals + 1));
    if (spelling === undefined) own.push(part);
    else values.set(name, value);
    if (name.toLowerCase() === 'x-amz-content-sha256') {
      if (contentSha256 !== undefined) return refuse('bad_request', 'the query parameter X-Amz-Content-Sha256 is there twice');
      contentSha256 = value;
    }
    if (spelling !== 'X-Amz-Signature') signed.push(part);
  }
  if (values.size === 0) return undefined;
  const missing = required.find((name) => !values.has(name));
  if (missing !== undefined) return refuse('bad_request', `the query carries a signature without ${missing}`);
  const authorization = authorizationOf(values);
  if (authorization === undefined) return refuse('bad_request', 'the signature in the query is not one of Signature Version 4');
  return {
    authorization,
    amzDate: values.get('X-Amz-Date') ?? '',
    expires: values.get('X-Amz-Expires') ?? '',
    securityToken: values.get('X-Amz-Security-Token'),
    regionSet: values.get('X-Amz-Region-Set'),
    contentSha256,
    signedQuery: signed.join('&'),
    ownQuery: own.join('&'),
  };
}

function authorizationOf(values: ReadonlyMap<string, string>): Authorization | undefined {
  const algorithm = signingAlgorithm(values.get('X-Amz-Algorithm') ?? '');
  if (algorithm === undefined) return undefined;
  const credential = parseCredential(algorithm, values.get('X-Amz-Credential') ?? '');
  const signedHeaders = parseSignedHeaders(values.get('X-Amz-SignedHeaders') ?? '');
  const signature = values.get('X-Amz-Signature') ?? '';
  if (credential === undefined || signedHeaders === undefined || !isSignature(algorithm, signature)) return undefined;
  return { ...credential, algorithm, signedHeaders, signature };
}

function decoded(raw: string): string {
  return Buffer.from(decodePercent(raw)).toString('latin1');
}
