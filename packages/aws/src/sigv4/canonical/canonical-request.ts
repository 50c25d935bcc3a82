import { hash } from 'node:crypto';

export type CanonicalHeader = { readonly name: string; readonly value: string };
export type CanonicalRequest = {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  /** sorted by name, each name once */
  readonly headerLines: string;
  readonly signedHeaders: string;
  readonly payload: string;
};

/** Sorts in place by lower-cased name, keeping the wire order of equal names, whose values are joined with a comma and no space. */
export function canonicalHeaders(headers: CanonicalHeader[]): { readonly headerLines: string; readonly signedHeaders: string } {
  sortByName(headers);
  let headerLines = '';
  let signedHeaders = '';
  let previous = '';
  for (const { name, value } of headers) {
    if (name === previous) {
      headerLines += `,${value}`;
      continue;
    }
    if (previous !== '') {
      headerLines += '\n';
      signedHeaders += ';';
    }
    headerLines += `${name}:${value}`;
    signedHeaders += name;
    previous = name;
  }
  return { headerLines: `${headerLines}\n`, signedHeaders };
}

/** Stable, and for the dozen headers of a request several times faster than Array.prototype.sort with a comparator. */
function sortByName(headers: CanonicalHeader[]): void {
  if (headers.length > 64) {
    headers.sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
    return;
  }
  for (let i = 1; i < headers.length; i += 1) {
    const header = headers[i];
    if (header === undefined) return;
    let at = i;
    for (let before = headers[at - 1]; before !== undefined && before.name > header.name; before = headers[at - 1]) {
      headers[at] = before;
      at -= 1;
    }
    headers[at] = header;
  }
}

/** Strings come from the wire as latin1, so that is how they are hashed: as UTF-8 a byte above 0x7f would become two. */
export function canonicalHash(request: CanonicalRequest): string {
  const { method, path, query, headerLines, signedHeaders, payload } = request;
  const text = `${method}\n${path}\n${query}\n${headerLines}\n${signedHeaders}\n${payload}`;
  return hash('sha256', Buffer.from(text, 'latin1'), 'hex');
}
