import { createHash, createHmac } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** Signature Version 4 as AWS's guides print it, written out once more: nothing of ours signs here. */
export interface ToSign {
  readonly method: string;
  readonly host: string;
  /** As it goes over the wire. */
  readonly path: string;
  readonly query?: string;
  readonly service: string;
  readonly region?: string;
  /** In their order; each is signed. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
  /** x-amz-content-sha256, and what is signed of the body. */
  readonly payload: string;
  /** It is signed, and no header says it. */
  readonly isTacit?: boolean;
}
export interface Keys {
  readonly id: string;
  readonly secret: string;
}
export interface Signed {
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly signature: string;
  readonly key: Buffer;
  readonly date: string;
  readonly scope: string;
}

export const sha256 = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex');
const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text, 'latin1').digest();
const encode = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);

export function sign(asked: ToSign, { id, secret }: Keys, at: Date = new Date()): Signed {
  const { method, host, path, query = '', service, region = 'us-east-1', payload, isTacit = false } = asked;
  const date = at.toISOString().replace(/[-:]|\.\d+/g, '');
  const told = isTacit ? [] : ([['X-Amz-Content-Sha256', payload]] as const);
  const own = [['Host', host], ['X-Amz-Date', date], ...told, ...(asked.headers ?? [])] as const;
  const values = new Map<string, string[]>();
  for (const [name, value] of own) {
    const name0 = name.toLowerCase();
    values.set(name0, [...(values.get(name0) ?? []), value.trim().replace(/[ \t]+/g, ' ')]);
  }
  const names = [...values.keys()].toSorted();
  const canonical = [
    method,
    service.startsWith('s3') ? path : path.split('/').filter(counts).map(encode).join('/'),
    canonicalQuery(query),
    ...names.map((name) => `${name}:${values.get(name)?.join(',')}`),
    '',
    names.join(';'),
    payload,
  ].join('\n');
  const scope = `${date.slice(0, 8)}/${region}/${service}/aws4_request`;
  const key = scope.split('/').reduce<Buffer>((parent, part) => hmac(parent, part), Buffer.from(`AWS4${secret}`));
  const text = ['AWS4-HMAC-SHA256', date, scope, createHash('sha256').update(canonical, 'latin1').digest('hex')].join('\n');
  const signature = hmac(key, text).toString('hex');
  const authorization = `AWS4-HMAC-SHA256 Credential=${id}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`;
  return { headers: [...own, ['Authorization', authorization]], signature, key, date, scope };
}

/** Of a path that is made normal, as all but S3's are: what is no segment is left out. A slash at the end stays one. */
function counts(segment: string, at: number, all: readonly string[]): boolean {
  return at === 0 || at === all.length - 1 || (segment !== '' && segment !== '.');
}

function canonicalQuery(query: string): string {
  if (query === '') return '';
  const pairs = query.split('&').map((pair) => {
    const cut = pair.indexOf('=');
    const parts = cut < 0 ? [pair, ''] : [pair.slice(0, cut), pair.slice(cut + 1)];
    return parts.map((part) => encode(decodeURIComponent(part))).join('=');
  });
  return pairs.toSorted().join('&');
}

/** Frames of a body whose chunks are signed one after another, and the trailer where there is one. */
export function signedChunks(content: Buffer, size: number, seed: Signed, trailer?: readonly [name: string, value: string]): Buffer {
  let previous = seed.signature;
  const next = (kind: string, rest: readonly string[]) => {
    previous = hmac(seed.key, [`AWS4-HMAC-SHA256-${kind}`, seed.date, seed.scope, previous, ...rest].join('\n')).toString('hex');
    return previous;
  };
  const cuts = Array.from({ length: Math.ceil(content.length / size) }, (_, at) => content.subarray(at * size, (at + 1) * size));
  const frame = (cut: Buffer) => `${cut.length.toString(16)};chunk-signature=${next('PAYLOAD', [sha256(''), sha256(cut)])}\r\n`;
  const out = cuts.flatMap((cut) => [Buffer.from(frame(cut)), cut, Buffer.from('\r\n')]);
  out.push(Buffer.from(frame(Buffer.alloc(0))));
  if (trailer === undefined) return Buffer.concat([...out, Buffer.from('\r\n')]);
  const line = trailer.join(':');
  const signature = next('TRAILER', [sha256(`${line}\n`)]);
  return Buffer.concat([...out, Buffer.from(`${line}\r\nx-amz-trailer-signature:${signature}\r\n\r\n`)]);
}

/** Frames without signatures, as most SDKs send objects. */
export function plainChunks(content: Buffer, trailer: readonly [name: string, value: string]): Buffer {
  const head = Buffer.from(`${content.length.toString(16)}\r\n`);
  return Buffer.concat([head, content, Buffer.from(`\r\n0\r\n${trailer.join(':')}\r\n\r\n`)]);
}

export function crc32Trailer(content: Buffer): readonly [name: string, value: string] {
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(content));
  return ['x-amz-checksum-crc32', sum.toString('base64')];
}
