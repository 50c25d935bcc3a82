import { decodePercent, encodeBytes } from '#sigv4/canonical/percent-encoding.ts';

/**
 * The query line of the canonical request, from the raw query of the wire: duplicates kept, a key without value written `key=`, sorted by
 * encoded name and then by encoded value. URLSearchParams and querystring are no use here: both turn '+' into a space.
 */
export function canonicalQuery(rawQuery: string): string {
  if (rawQuery === '') return '';
  const pairs: { readonly name: string; readonly value: string }[] = [];
  for (const part of rawQuery.split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const name = equals < 0 ? part : part.slice(0, equals);
    pairs.push({ name: reencode(name), value: equals < 0 ? '' : reencode(part.slice(equals + 1)) });
  }
  pairs.sort((a, b) => compare(a.name, b.name) || compare(a.value, b.value));
  return pairs.map(({ name, value }) => `${name}=${value}`).join('&');
}

function reencode(raw: string): string {
  return encodeBytes(decodePercent(raw), { keepSlash: false });
}

/** Both sides are ASCII here, so code units are bytes. */
function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
