/** One parameter of a form or of a query string. */
export type FormPair = {
  /** decoded */
  readonly name: string;
  /** decoded */
  readonly value: string;
  /** `name=value` as it came */
  readonly raw: string;
};

/** More than any request of AWS's SDKs has: splitting and decoding half a million of them holds the process up for a second. */
export const maxFormPairs = 8192;

/** Counted, and nothing split. */
export function hasTooManyPairs(text: string | Buffer): boolean {
  let count = 0;
  for (let at = text.indexOf('&'); at >= 0 && count <= maxFormPairs; at = text.indexOf('&', at + 1)) count++;
  return count >= maxFormPairs;
}

/** `Action` in every spelling that a reader could take for it, behind whatever could part it from the parameter before. */
export const spelledAction = /(?:^|[&;\s])(?:a|%[46]1)(?:c|%[46]3)(?:t|%[57]4)(?:i|%[46]9)(?:o|%[46]f)(?:n|%[46]e)(?=[=&;\s]|$)/gi;

/**
 * The parameters of `application/x-www-form-urlencoded` text, or undefined where two readers could read it differently: a bare `;`, which was a
 * separator once, a broken escape, bytes that are not UTF-8, anything but printable ASCII; and
 * where there are too many.
 */
export function parseForm(text: string): readonly FormPair[] | undefined {
  if (/[^!-~]|;/.test(text) || hasTooManyPairs(text)) return undefined;
  const pairs: FormPair[] = [];
  for (const raw of text.split('&')) {
    if (raw === '') continue;
    const equals = raw.indexOf('=');
    const name = decode(equals < 0 ? raw : raw.slice(0, equals));
    const value = decode(equals < 0 ? '' : raw.slice(equals + 1));
    if (name === undefined || value === undefined) return undefined;
    pairs.push({ name, value, raw });
  }
  return pairs;
}

/** Encoded as every reader of forms and of query strings reads it: no plus signs, since one of the two takes them for blanks. */
export function formPair(name: string, value: string): string {
  return `${strict(name)}=${strict(value)}`;
}

function strict(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}
