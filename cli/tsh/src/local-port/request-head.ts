/** The first request of a connection, as far as the guard needs it. */
export interface RequestHead {
  readonly method: string;
  readonly target: string;
  /** Lower-case name to every value sent under it, in wire order. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
}

const REQUEST_LINE = /^([A-Z]{1,32}) (\S{1,8192}) HTTP\/1\.[01]$/;
/** RFC 9110, 5.1 and 5.5: no space before the colon, no line folding. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+(?=:)/;

/** Undefined where it is not HTTP/1.x as RFC 9112 writes it. The agent parses it again with node:http; here nothing is forgiven. */
export function parseRequestHead(text: string): RequestHead | undefined {
  const [first = '', ...lines] = text.split('\r\n');
  const [, method, target] = REQUEST_LINE.exec(first) ?? [];
  if (method === undefined || target === undefined) return undefined;
  const headers = new Map<string, string[]>();
  for (const line of lines) {
    const [name] = HEADER_NAME.exec(line) ?? [];
    if (name === undefined) return undefined;
    const value = withoutBlanks(line.slice(name.length + 1));
    if (/[\r\n\0]/.test(value)) return undefined;
    const key = name.toLowerCase();
    const values = headers.get(key);
    if (values === undefined) headers.set(key, [value]);
    else values.push(value);
  }
  return { method, target, headers };
}

/** In one pass; an expression that ends with blanks is tried at each blank of a line that has nothing else. */
function withoutBlanks(text: string): string {
  const isBlank = (at: number) => text[at] === ' ' || text[at] === '\t';
  let [from, to] = [0, text.length];
  while (from < to && isBlank(from)) from += 1;
  while (to > from && isBlank(to - 1)) to -= 1;
  return text.slice(from, to);
}
