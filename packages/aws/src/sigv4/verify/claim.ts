import { type Authorization, parseAuthorization } from '#sigv4/verify/authorization-header.ts';
import { type GroupedHeaders, singleValue } from '#sigv4/verify/grouped-headers.ts';
import { refuseOtherScheme } from '#sigv4/verify/other-schemes.ts';
import { type QueryAuthorization, readQueryAuthorization } from '#sigv4/verify/query-authorization.ts';
import { headerTime, judgeLifetime, judgeSkew, parseAmzDate } from '#sigv4/verify/request-time.ts';
import { refuse, type SignatureRefusal } from '#sigv4/signature-refusal.ts';
import { amzDate } from '#sigv4/signing-keys.ts';

/** What a request says of its own signature, well-formed and of our time, and not yet verified. */
export type Claim = {
  readonly authorization: Authorization;
  /** with SigV4a the region set */
  readonly region: string;
  readonly timeMs: number;
  readonly securityToken: string | undefined;
  /** the raw query that was signed */
  readonly signedQuery: string;
  /** of query authentication: a payload line among the parameters */
  readonly queryContentSha256: string | undefined;
  readonly presigned: { readonly expiresAtMs: number; readonly query: string } | undefined;
};

export type ClaimInput = {
  readonly method: string;
  readonly query: string;
  readonly headers: GroupedHeaders;
  readonly nowMs: number;
};

export function claimOf(input: ClaimInput, maxSkewMs: number): Claim | SignatureRefusal {
  const { headers } = input;
  const given = headers.get('authorization');
  const inQuery = readQueryAuthorization(input.query);
  if (inQuery !== undefined) {
    if ('refusal' in inQuery) return inQuery;
    if (given !== undefined) return refuse('bad_request', 'the request is signed twice, in its query and in its authorization header');
    return queryClaim(input, inQuery, maxSkewMs);
  }
  if (given !== undefined && given.length > 1) return refuse('bad_request', 'the request carries more than one authorization header');
  const authorization = given === undefined ? undefined : parseAuthorization(given[0] ?? '');
  if (authorization === undefined) return refuseOtherScheme(input);
  const timeMs = headerTime(headers);
  if (timeMs === undefined) return refuse('bad_request', 'the request carries no single valid x-amz-date');
  const skewed = judgeSkew({ timeMs, nowMs: input.nowMs, maxSkewMs });
  if (skewed !== undefined) return skewed;
  const region = authorization.region ?? singleValue(headers, 'x-amz-region-set');
  return checked({
    authorization,
    region: region ?? '',
    timeMs,
    securityToken: headers.get('x-amz-security-token')?.[0],
    signedQuery: input.query,
    queryContentSha256: undefined,
    presigned: undefined,
  });
}

function queryClaim(input: ClaimInput, inQuery: QueryAuthorization, maxSkewMs: number): Claim | SignatureRefusal {
  const { authorization } = inQuery;
  const timeMs = parseAmzDate(inQuery.amzDate);
  if (timeMs === undefined) return refuse('bad_request', 'X-Amz-Date is not a date of the form 20260131T235959Z');
  const life = judgeLifetime({ timeMs, nowMs: input.nowMs, maxSkewMs }, inQuery.expires);
  if ('refusal' in life) return life;
  if (input.headers.has('x-amz-security-token'))
    return refuse('bad_request', 'a request that is signed in its query cannot carry a session token in a header');
  return checked({
    authorization,
    region: authorization.region ?? inQuery.regionSet ?? '',
    timeMs,
    securityToken: inQuery.securityToken,
    signedQuery: inQuery.signedQuery,
    queryContentSha256: inQuery.contentSha256,
    presigned: { ...life, query: inQuery.ownQuery },
  });
}

function checked(claim: Claim): Claim | SignatureRefusal {
  const { authorization, region, timeMs } = claim;
  const day = amzDate(timeMs).slice(0, 8);
  if (authorization.day !== day) return refuse('bad_signature', `the credential scope is of ${authorization.day}, the request of ${day}`);
  if (!/^[\w*,-]{1,1024}$/.test(region)) return refuse('bad_request', 'the request is signed with SigV4a and names no single region set');
  return claim;
}
