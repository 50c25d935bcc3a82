import { SigningError } from '#sigv4/signing-error.ts';

/** `drop` never reaches AWS; `unsigned` travels but is left out of the signature, because hops between here and AWS may touch it. */
export type HeaderFate = 'drop' | 'unsigned' | 'sign' | 'connection';
export type HeaderRule = {
  readonly lower: string;
  readonly fate: HeaderFate;
  /** Position in the set of headers that may appear once only: two of them are read differently by different parsers. */
  readonly single: number;
};

const fates: ReadonlyMap<string, HeaderFate> = new Map<string, HeaderFate>([
  // the client's own credentials, date and routing: ours take their place
  ...asFate('drop', [
    'authorization',
    'x-amz-date',
    'date',
    'x-amz-security-token',
    'x-amz-s3session-token',
    'x-amz-region-set',
    'host',
    'cookie',
  ]),
  // hop by hop (RFC 9110 7.6.1)
  ...asFate('drop', ['keep-alive', 'te', 'trailer', 'upgrade', 'transfer-encoding', 'http2-settings', 'expect']),
  // what platforms add on the way
  ...asFate('drop', ['forwarded', 'via', 'x-real-ip', 'true-client-ip', 'traceparent', 'tracestate', 'baggage']),
  ['connection', 'connection'],
  // the union of the lists of botocore and of the JavaScript SDK, and what a proxy may rewrite
  ...asFate('unsigned', ['user-agent', 'x-amzn-trace-id', 'accept', 'accept-encoding', 'content-length']),
  ...asFate('unsigned', ['cache-control', 'from', 'max-forwards', 'pragma', 'referer']),
]);

const prefixFates: readonly (readonly [string, HeaderFate])[] = [
  ['proxy-', 'drop'],
  ['x-forwarded-', 'drop'],
  ['x-teleport-', 'drop'],
  ['x-postern-', 'drop'],
  ['cf-', 'drop'],
  ['sec-', 'unsigned'],
];

const singles: readonly string[] = ['content-type', 'content-length', 'content-encoding', 'x-amz-target', 'x-amz-content-sha256'];

const tokenPattern = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Clients send a few dozen spellings; a hostile one must not be able to grow this. */
const maxCachedRules = 512;
const cache = new Map<string, HeaderRule>();

export function headerRule(name: string): HeaderRule {
  const known = cache.get(name);
  if (known !== undefined) return known;
  if (!tokenPattern.test(name)) throw new SigningError('bad_header', 'a header name holds a character that no header name may hold');
  const lower = name.toLowerCase();
  const prefix = prefixFates.find(([start]) => lower.startsWith(start));
  const rule = { lower, fate: fates.get(lower) ?? prefix?.[1] ?? 'sign', single: singles.indexOf(lower) };
  if (cache.size < maxCachedRules && name.length <= 64) cache.set(name, rule);
  return rule;
}

/** Blanks at an end or in a row, or anything but printable ASCII and the upper half of latin1. */
const unusual = /^ | $| {2}|[^ -~\x80-\xff]/;

/**
 * The value as the canonical request has it: trimmed, runs of space and tab made one space, inside quotes too. The wire keeps what came in.
 * Header values are latin1 strings, one character a byte, so the no-break space is an ordinary byte here and `\s` must not be used.
 */
export function canonicalValue(value: string): string {
  if (!unusual.test(value)) return value;
  if (/[\0\r\n]/.test(value)) throw new SigningError('bad_header', 'a header value holds a line break or a zero byte');
  return value.replaceAll(/[\t ]+/g, ' ').replaceAll(/^ | $/g, '');
}

function asFate(fate: HeaderFate, names: readonly string[]): [string, HeaderFate][] {
  return names.map((name) => [name, fate]);
}
