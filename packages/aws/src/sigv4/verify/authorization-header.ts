import { isSignature } from '#sigv4/keys/prove.ts';
import type { SigningAlgorithm } from '#sigv4/payload-mode.ts';

export type Credential = {
  readonly accessKeyId: string;
  /** YYYYMMDD */
  readonly day: string;
  /** undefined with SigV4a, whose scope has none: the region set stands in a header or parameter of its own */
  readonly region: string | undefined;
  readonly service: string;
};

export type Authorization = Credential & {
  readonly algorithm: SigningAlgorithm;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
};

export const AUTHORITY = ':authority';
const maxLength = 8192;
const maxSignedHeaders = 100;

/**
 * `AWS4-HMAC-SHA256 Credential=AKID/YYYYMMDD/region/service/aws4_request, SignedHeaders=a;b, Signature=hex`: the three parts in any order,
 * blanks optional, each exactly once; with AWS4-ECDSA-P256-SHA256 the scope has no region. Undefined for anything else.
 */
export function parseAuthorization(value: string): Authorization | undefined {
  if (value.length > maxLength) return undefined;
  const [, scheme = '', rest] = /^([\w-]+)[ \t]+(.+)$/.exec(value) ?? [];
  const algorithm = signingAlgorithm(scheme);
  if (rest === undefined || algorithm === undefined) return undefined;
  const parts = new Map<string, string>();
  for (const part of rest.split(',')) {
    const [, name, content] = /^[ \t]*(Credential|SignedHeaders|Signature)=([^ \t]+)[ \t]*$/.exec(part) ?? [];
    if (name === undefined || content === undefined || parts.has(name)) return undefined;
    parts.set(name, content);
  }
  const credential = parseCredential(algorithm, parts.get('Credential') ?? '');
  const signature = parts.get('Signature') ?? '';
  const signedHeaders = parseSignedHeaders(parts.get('SignedHeaders') ?? '');
  if (credential === undefined || signedHeaders === undefined || !isSignature(algorithm, signature)) return undefined;
  return { ...credential, algorithm, signedHeaders, signature };
}

export function signingAlgorithm(text: string): SigningAlgorithm | undefined {
  return text === 'AWS4-HMAC-SHA256' || text === 'AWS4-ECDSA-P256-SHA256' ? text : undefined;
}

export function parseCredential(algorithm: SigningAlgorithm, text: string): Credential | undefined {
  const pattern =
    algorithm === 'AWS4-HMAC-SHA256'
      ? /^([\w-]{1,128})\/(\d{8})\/([\w-]{1,64})\/([\w.-]{1,64})\/aws4_request$/
      : /^([\w-]{1,128})\/(\d{8})(\/)([\w.-]{1,64})\/aws4_request$/;
  const scope = pattern.exec(text);
  if (scope === null) return undefined;
  const [, accessKeyId = '', day = '', region = '', service = ''] = scope;
  return { accessKeyId, day, region: region === '/' ? undefined : region, service };
}

/**
 * In order and each once; undefined for anything else. Over HTTP/2 the JavaScript SDK signs `:authority` in place of Host, under that name:
 * the only pseudo-header field that is ever signed.
 */
export function parseSignedHeaders(text: string): readonly string[] | undefined {
  const names = text.split(';');
  if (names.length > maxSignedHeaders) return undefined;
  const areOrdered = names.every(
    (name, i) => (name === AUTHORITY || /^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name)) && (i === 0 || (names[i - 1] ?? '') < name),
  );
  return areOrdered ? names : undefined;
}
