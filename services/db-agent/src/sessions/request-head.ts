/** What the checks need of a request's header, read once from the raw lines: Node folds or drops what comes twice. */
export interface RequestHead {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly fetchSite: string | undefined;
  readonly target: string | undefined;
  readonly contentType: string | undefined;
  readonly contentEncoding: string | undefined;
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
  'x-amz-date',
  'x-amz-security-token',
  'expect',
  'connection',
] as const;
type Once = (typeof ONCE)[number];
const isOnce = new Set<string>(ONCE);

export function readHead(rawHeaders: readonly string[]): RequestHead {
  const values: Partial<Record<Once, string>> = {};
  let duplicate: string | undefined;
  let upgrade = false;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? '').toLowerCase();
    if (isOnce.has(name)) {
      if (values[name as Once] !== undefined) duplicate ??= name;
      else values[name as Once] = rawHeaders[at + 1] ?? '';
    } else if (name === 'upgrade') upgrade = true;
  }
  const length = values['content-length'];
  return {
    host: values.host,
    origin: values.origin,
    fetchSite: values['sec-fetch-site'],
    target: values['x-amz-target'],
    contentType: values['content-type'],
    contentEncoding: values['content-encoding'],
    // The parser has refused what is not a number.
    contentLength: length === undefined ? undefined : Number(length),
    transferEncoding: values['transfer-encoding'],
    expect: values.expect,
    connection: values.connection,
    upgrade,
    duplicate,
    lines: rawHeaders.length / 2,
  };
}
