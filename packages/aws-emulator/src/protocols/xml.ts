/** Escapes also what XML 1.0 cannot hold as it is: keys of S3 may have any control character. */
export function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll('\r', '&#xD;');
}

export function element(name: string, value: string | number): string {
  return `<${name}>${escapeXml(String(value))}</${name}>`;
}

/** Texts of all elements of this name, in their order: enough for the small documents that clients send. */
export function elements(xml: string, name: string): readonly string[] {
  return [...xml.matchAll(new RegExp(`<${name}(?:\\s[^>]*)?>(?<text>.*?)</${name}>`, 'gsu'))].map((match) => match.groups?.['text'] ?? '');
}

export function textOf(xml: string, name: string): string | undefined {
  const text = elements(xml, name)[0];
  return text === undefined ? undefined : unescapeXml(text);
}

function unescapeXml(text: string): string {
  const names: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };
  return text.replaceAll(/&(?:#x(?<hex>[0-9a-fA-F]{1,6})|#(?<decimal>\d{1,7})|(?<name>\w+));/gu, (whole, hex, decimal, name) => {
    if (typeof hex === 'string') return String.fromCodePoint(Number.parseInt(hex, 16));
    if (typeof decimal === 'string') return String.fromCodePoint(Number(decimal));
    return names[String(name)] ?? whole;
  });
}
