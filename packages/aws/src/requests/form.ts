/** One parameter of a form or of a query string. */
export type FormPair = {
  /** decoded */
  readonly name: string;
  /** decoded */
  readonly value: string;
  /** `name=value` as it came */
  readonly raw: string;
};

/**
 * The parameters of `application/x-www-form-urlencoded` text, or undefined where two readers could read it differently: a bare `;`, which was a
 * separator once, a broken escape, bytes that are not UTF-8, anything but printable ASCII.
 */
export function parseForm(text: string): readonly FormPair[] | undefined {
  if (/[^!-~]|;/.test(text)) return undefined;
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
