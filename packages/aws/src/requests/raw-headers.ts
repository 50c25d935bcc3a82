/** The values of a header among flat raw ones; `name` in lower case. */
export function headerValues(headers: readonly string[], name: string): readonly string[] {
  const values: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const text = headers[i] ?? '';
    if (text.length === name.length && text.toLowerCase() === name) values.push(headers[i + 1] ?? '');
  }
  return values;
}

/** A header that is there once; undefined where it is missing, or twice: two copies are read differently by different parsers. */
export function onlyHeader(headers: readonly string[], name: string): string | undefined {
  const [value, another] = headerValues(headers, name);
  return another === undefined ? value : undefined;
}
