const AUTHORIZATION = /^AWS4-(?:HMAC-SHA256|ECDSA-P256-SHA256)\s+(?:.*[\s,])?Credential=([A-Za-z0-9-]{16,128})\//;
const IN_QUERY = /[?&]X-Amz-Credential=([A-Za-z0-9-]{16,128})(?:%2[Ff]|\/)/;

/** The access key that a request says it is signed with, in its header or, where it is pre-signed, in its query. Nothing is verified. */
export function keyIdOf(request: { readonly target: string; readonly fields: readonly string[] }): string | undefined {
  const { fields, target } = request;
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i]?.length === 13 && fields[i]?.toLowerCase() === 'authorization') return AUTHORIZATION.exec(fields[i + 1] ?? '')?.[1];
  }
  return IN_QUERY.exec(target)?.[1];
}
