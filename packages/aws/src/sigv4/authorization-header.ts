export type Authorization = {
  readonly accessKeyId: string;
  readonly day: string;
  readonly region: string;
  readonly service: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
};

const maxLength = 8192;
const maxSignedHeaders = 100;

/**
 * `AWS4-HMAC-SHA256 Credential=AKID/YYYYMMDD/region/service/aws4_request, SignedHeaders=a;b, Signature=hex`: the three parts in any order,
 * blanks optional, each exactly once. Undefined for anything else.
 */
export function parseAuthorization(value: string): Authorization | undefined {
  if (value.length > maxLength) return undefined;
  const rest = /^AWS4-HMAC-SHA256[ \t]+(.+)$/.exec(value)?.[1];
  if (rest === undefined) return undefined;
  const parts = new Map<string, string>();
  for (const part of rest.split(',')) {
    const [, name, content] = /^[ \t]*(Credential|SignedHeaders|Signature)=([^ \t]+)[ \t]*$/.exec(part) ?? [];
    if (name === undefined || content === undefined || parts.has(name)) return undefined;
    parts.set(name, content);
  }
  const scope = /^([\w-]{1,128})\/(\d{8})\/([\w-]{1,64})\/([\w.-]{1,64})\/aws4_request$/.exec(parts.get('Credential') ?? '');
  const signature = parts.get('Signature') ?? '';
  const signedHeaders = (parts.get('SignedHeaders') ?? '').split(';');
  // timingSafeEqual throws on unequal lengths, so the shape is settled here
  if (scope === null || !/^[0-9a-f]{64}$/.test(signature) || !areOrdered(signedHeaders)) return undefined;
  const [, accessKeyId = '', day = '', region = '', service = ''] = scope;
  return { accessKeyId, day, region, service, signedHeaders, signature };
}

function areOrdered(names: readonly string[]): boolean {
  if (names.length > maxSignedHeaders) return false;
  return names.every((name, i) => /^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name) && (i === 0 || (names[i - 1] ?? '') < name));
}
