import { type GroupedHeaders } from '#sigv4/verify/grouped-headers.ts';
import { refuse, type SignatureRefusal } from '#sigv4/signature-refusal.ts';

/** What an authorization header may be instead of Signature Version 4; the words say what the user can do. */
const schemes: readonly (readonly [RegExp, string])[] = [
  [/^AWS[ \t]/, 'is signed with Signature Version 2, which cannot be signed anew: use a client that signs with Signature Version 4'],
  [
    /^AWS3(?:-HTTPS)?[ \t]/,
    'is signed with Signature Version 3, which cannot be signed anew: use a client that signs with Signature Version 4',
  ],
  [
    /^Bearer[ \t]/i,
    'carries a bearer token or API key, which would go around the role: unset it (AWS_BEARER_TOKEN_…) and sign with the access key',
  ],
  [/^Basic[ \t]/i, 'carries a user name and password, which would go around the role: sign with the access key'],
];

/** A request that carries no signature of version 4, told apart as far as its head shows. */
export function refuseOtherScheme(input: {
  readonly method: string;
  readonly query: string;
  readonly headers: GroupedHeaders;
}): SignatureRefusal {
  const { method, query, headers } = input;
  const given = headers.get('authorization')?.[0];
  if (given !== undefined) {
    const words = schemes.find(([pattern]) => pattern.test(given))?.[1];
    return refuse(
      'bad_request',
      words === undefined ? 'the authorization header is not one of Signature Version 4' : `the request ${words}`,
    );
  }
  if (/(?:^|&)(?:AWSAccessKeyId|SignatureVersion|SignatureMethod)=/i.test(query)) {
    return refuse(
      'bad_request',
      'the request is signed with Signature Version 2 in its query, which cannot be signed anew: use a client that signs with Signature Version 4',
    );
  }
  if (method === 'POST' && /^multipart\/form-data\b/i.test(headers.get('content-type')?.[0] ?? '')) {
    return refuse(
      'bad_request',
      'an upload by HTML form (S3 POST policy) signs its form and not the request, so it cannot be signed anew: use a pre-signed URL or PutObject',
    );
  }
  return refuse('missing_key', 'the request carries no signature');
}
