import { refuse, type SignatureRefusal } from '#sigv4/signature-refusal.ts';

export type Trailer = { readonly name: string; readonly value: string };
export type Trailers = {
  /** sorted by name, without the signature */
  readonly lines: readonly Trailer[];
  readonly signature: string | undefined;
};

const signatureName = 'x-amz-trailer-signature';

/** The names that x-amz-trailer announces, in lower case and sorted. */
export function announcedTrailers(value: string | undefined): readonly string[] {
  const names = (value ?? '').split(',').map((name) => name.trim().toLowerCase());
  return names.filter((name) => name !== '').toSorted();
}

/**
 * What stands behind the last chunk: `name:value` lines, then an empty one. AWS's own documentation ends lines in two ways and puts empty
 * ones between, and so do clients, so both are taken; exactly the announced names must be there.
 */
export function readTrailers(text: string, announced: readonly string[]): Trailers | SignatureRefusal {
  if (text !== '\r\n' && !/\n\r?\n$/.test(text)) return refuse('bad_request', 'the trailers of the body end before their last line');
  const lines: Trailer[] = [];
  for (const line of text.split(/\r?\n/)) {
    if (line === '') continue;
    const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t -~\x80-\xff]*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) return refuse('bad_request', 'the trailers of the body are malformed');
    lines.push({ name: name.toLowerCase(), value: withoutBlanks(value) });
  }
  lines.sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
  const own = lines.filter(({ name }) => name !== signatureName);
  const signatures = lines.filter(({ name }) => name === signatureName);
  if (signatures.length > 1 || own.map(({ name }) => name).join() !== announced.join()) {
    return refuse('bad_request', 'the trailers of the body are not those that x-amz-trailer announces');
  }
  return { lines: own, signature: signatures[0]?.value };
}

/** What the signature of trailers covers. */
export function canonicalTrailers(lines: readonly Trailer[]): string {
  return lines.map(({ name, value }) => `${name}:${value}\n`).join('');
}

/** At both ends. A regular expression for it would try every blank of a long value anew, and trim() would take the no-break space, which is an ordinary byte here. */
function withoutBlanks(text: string): string {
  let from = 0;
  let to = text.length;
  while (from < to && isBlank(text[from])) from += 1;
  while (to > from && isBlank(text[to - 1])) to -= 1;
  return text.slice(from, to);
}

function isBlank(char: string | undefined): boolean {
  return char === ' ' || char === '\t';
}
