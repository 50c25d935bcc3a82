/** Told to whoever names none that could be one: ours have twenty characters. */
export const NO_KEY =
  'the request names no access key of tsh: sign it with the credentials of the profile; what takes no signature is asked of AWS itself, by another profile';

const ALGORITHM = /^AWS4-(?:HMAC-SHA256|ECDSA-P256-SHA256)(?=\s)/;
const CREDENTIAL = 'Credential=';
const KEY_ID = /([A-Za-z0-9-]{16,128})\//y;
const IN_QUERY = /[?&]X-Amz-Credential=([A-Za-z0-9-]{16,128})(?:%2[Ff]|\/)/;

/** The access key that a request says it is signed with, in its header or, where it is pre-signed, in its query. Nothing is verified. */
export function keyIdOf(request: { readonly target: string; readonly fields: readonly string[] }): string | undefined {
  const { fields, target } = request;
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i]?.length === 13 && fields[i]?.toLowerCase() === 'authorization') return keyIdIn(fields[i + 1] ?? '');
  }
  return IN_QUERY.exec(target)?.[1];
}

/** No single expression: whoever reaches the port may send sixteen kilobytes of blanks, and each way to part them would be tried. */
function keyIdIn(authorization: string): string | undefined {
  if (!ALGORITHM.test(authorization)) return undefined;
  for (let at = authorization.lastIndexOf(CREDENTIAL); at > 0; at = authorization.lastIndexOf(CREDENTIAL, at - 1)) {
    if (!/[\s,]/.test(authorization.charAt(at - 1))) continue;
    KEY_ID.lastIndex = at + CREDENTIAL.length;
    const keyId = KEY_ID.exec(authorization)?.[1];
    if (keyId !== undefined) return keyId;
  }
  return undefined;
}
