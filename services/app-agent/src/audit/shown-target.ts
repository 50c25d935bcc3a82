import { hash } from 'node:crypto';
import { shownQuery } from '#audit/shown-query.ts';

type Fields = Readonly<Record<string, unknown>>;

/** A key of S3 has up to 1,024 bytes, which are three characters each where they are escaped, and stands behind the name of its bucket. */
const MAX_CHARACTERS = 4096;

/** Which object a request touches, and which one S3 copies from: both may have a query. */
export function shownTarget({ target, copySource }: { readonly target: string; readonly copySource?: string }): Fields {
  const { path, query } = partsOf(target);
  return {
    ...shown('path', path),
    ...shown('query', shownQuery(query), { field: 'raw_query' }),
    ...(copySource === undefined ? {} : shownSource(copySource)),
  };
}

/** Whole, or cut with a mark and the hash of what would have stood there. Never of more than that: a secret could be guessed by its hash. */
function shown(name: string, text: string, { field = name, isWhole = true } = {}): Fields {
  if (isWhole && text.length <= MAX_CHARACTERS) return { [field]: text };
  return { [field]: text.slice(0, MAX_CHARACTERS), [`${name}_truncated`]: true, [`${name}_sha256`]: hash('sha256', text) };
}

/** S3 may read a question mark as part of a key: what is left out here is marked too, or it would hide which object was read. */
function shownSource(source: string): Fields {
  const { path, query } = partsOf(source);
  const told = shownQuery(query);
  const text = told === '' ? path : `${path}?${told}`;
  return shown('copy_source', text, { isWhole: text === source });
}

function partsOf(target: string): { readonly path: string; readonly query: string } {
  const cut = target.indexOf('?');
  return cut < 0 ? { path: target, query: '' } : { path: target.slice(0, cut), query: target.slice(cut + 1) };
}
