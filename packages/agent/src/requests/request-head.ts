/** What the checks need of a request's header, read once from the raw lines. */
export interface RequestHead {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly fetchSite: string | undefined;
  readonly target: string | undefined;
  readonly contentType: string | undefined;
  readonly contentEncoding: string | undefined;
  readonly authorization: string | undefined;
  /** The payload mode: a hash of the body in hexadecimal, UNSIGNED-PAYLOAD or STREAMING-…. */
  readonly contentSha256: string | undefined;
  /** X-Amz-Copy-Source: the object that S3 reads. */
  readonly copySource: string | undefined;
  readonly contentLength: number | undefined;
  readonly transferEncoding: string | undefined;
  readonly expect: string | undefined;
  readonly connection: string | undefined;
  readonly upgrade: boolean;
  /** The first of the names that may stand once and stands twice. */
  readonly duplicate: string | undefined;
  readonly lines: number;
}

/** Where two readers could each take another of two lines, the request is refused. */
const ONCE = [
  'host',
  'authorization',
  'x-amz-target',
  'content-length',
  'content-type',
  'content-encoding',
  'transfer-encoding',
  'origin',
  'sec-fetch-site',
  'x-amz-content-sha256',
  'x-amz-copy-source',
  'x-amz-date',
  'x-amz-security-token',
  'x-amz-decoded-content-length',
  'x-amz-trailer',
  'expect',
  'connection',
] as const;
type Once = (typeof ONCE)[number];
const SLOT = Object.fromEntries(ONCE.map((name, at) => [name, at])) as Record<Once, number>;
const UPGRADE = ONCE.length;
const NO_SLOT = -1;
const slots = new Map<string, number>([...Object.entries(SLOT), ['upgrade', UPGRADE]]);

/** Clients send a few dozen spellings; a hostile one must not be able to grow this. */
const MAX_SPELLINGS = 512;
const bySpelling = new Map<string, number>();

export function readHead(rawHeaders: readonly string[]): RequestHead {
  const values: (string | undefined)[] = [];
  let duplicate: string | undefined;
  let upgrade = false;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const slot = slotOf(rawHeaders[at] ?? '');
    if (slot === NO_SLOT) continue;
    if (slot === UPGRADE) upgrade = true;
    else if (values[slot] === undefined) values[slot] = rawHeaders[at + 1] ?? '';
    else duplicate ??= ONCE[slot];
  }
  const length = values[SLOT['content-length']];
  return {
    host: values[SLOT.host],
    origin: values[SLOT.origin],
    fetchSite: values[SLOT['sec-fetch-site']],
    target: values[SLOT['x-amz-target']],
    contentType: values[SLOT['content-type']],
    contentEncoding: values[SLOT['content-encoding']],
    authorization: values[SLOT.authorization],
    contentSha256: values[SLOT['x-amz-content-sha256']],
    copySource: values[SLOT['x-amz-copy-source']],
    // The reader has refused what is not a number.
    contentLength: length === undefined ? undefined : Number(length),
    transferEncoding: values[SLOT['transfer-encoding']],
    expect: values[SLOT.expect],
    connection: values[SLOT.connection],
    upgrade,
    duplicate,
    lines: rawHeaders.length / 2,
  };
}

function slotOf(name: string): number {
  const known = bySpelling.get(name);
  if (known !== undefined) return known;
  const slot = slots.get(name.toLowerCase()) ?? NO_SLOT;
  if (bySpelling.size < MAX_SPELLINGS && name.length <= 64) bySpelling.set(name, slot);
  return slot;
}
