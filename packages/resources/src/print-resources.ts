import { stringify } from 'yaml';

import type { Resource } from '#resource.ts';

/**
 * Documents separated by `---`, fields in Teleport's order. Reading them back gives the same resources, also for a reader
 * of YAML 1.1, to whom a bare `off` or `no` is a boolean.
 */
export function toYaml(resources: readonly Resource[]): string {
  return resources.map(documentOf).join('---\n');
}

function documentOf(resource: Resource): string {
  const options = { lineWidth: 0, aliasDuplicateObjects: false, version: '1.2', compat: 'yaml-1.1' } as const;
  const text = stringify(inOrder(resource), options);
  if (text.search(UNSEEN) < 0 && !BLANK.test(JSON.stringify(resource))) return text;
  // Only double quotes can hold an escape, or blanks and line breaks with nothing besides.
  const quoted = stringify(inOrder(resource), {
    ...options,
    defaultStringType: 'QUOTE_DOUBLE',
    defaultKeyType: 'QUOTE_DOUBLE',
    blockQuote: false,
  });
  return quoted.replace(UNSEEN, escaped);
}

/** What drives a terminal or turns its text around, and is neither a line break nor already escaped: descriptions come from other hosts. */
const UNSEEN = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** A text of blanks and line breaks alone, in JSON: written as a block it would lose its blanks. */
const BLANK = /"(?: |\\n)*\\n"/;

function escaped(text: string): string {
  return Array.from({ length: text.length }, (_, i) => `\\u${text.charCodeAt(i).toString(16).padStart(4, '0')}`).join('');
}

/** Always a list, as scripts expect of `tctl get --format=json`. */
export function toJson(resources: readonly Resource[]): string {
  return `${JSON.stringify(resources.map(inOrder), null, 4).replace(UNSEEN, escaped)}\n`;
}

function inOrder({ kind, sub_kind, version, metadata, spec, status }: Resource): Record<string, unknown> {
  return {
    kind,
    ...(sub_kind === undefined || sub_kind === '' ? {} : { sub_kind }),
    metadata,
    spec,
    ...(status === undefined ? {} : { status }),
    version,
  };
}
