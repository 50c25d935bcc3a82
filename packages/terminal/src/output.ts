import { styleText } from 'node:util';
import { InvalidArgumentError, Option } from 'commander';

export type Format = 'text' | 'json' | 'yaml';
const formats: readonly Format[] = ['text', 'json', 'yaml'];

/** `-f json|yaml|text`, the same for every command that prints data. */
export function formatOption(fallback: Format = 'text'): Option {
  return new Option('-f, --format <format>', 'how to print').choices([...formats]).default(fallback);
}

/** Data goes to stdout, in the form that was asked for. */
export async function print(format: Format, data: unknown, text: () => string): Promise<void> {
  process.stdout.write(await render(format, data, text));
}

/** One value a line, as `jq` and log collectors read a stream. */
export function jsonLine(data: unknown): string {
  return `${JSON.stringify(data).replace(UNSEEN, escaped)}\n`;
}

export async function render(format: Format, data: unknown, text: () => string): Promise<string> {
  if (format === 'json') return `${JSON.stringify(data, undefined, 2).replace(UNSEEN, escaped)}\n`;
  if (format === 'yaml') {
    const { Document, visit } = await import('yaml');
    const document = new Document(data, { compat: 'yaml-1.1' });
    visit(document, {
      Scalar: (_key, node) => {
        // Only a text in double quotes can hold an escape.
        if (typeof node.value === 'string' && node.value.search(UNSEEN) >= 0) node.type = 'QUOTE_DOUBLE';
      },
    });
    return document.toString({ lineWidth: 0 }).replace(UNSEEN, escaped);
  }
  const body = text();
  return body === '' || body.endsWith('\n') ? body : `${body}\n`;
}

/** Everything that is not data: progress, hints, confirmations of long-running commands. */
export function say(line: string): void {
  process.stderr.write(`${printableLines(line)}\n`);
}

export function warn(line: string): void {
  process.stderr.write(`${styleText('yellow', 'WARNING:', { stream: process.stderr })} ${printableLines(line)}\n`);
}

/** Names and labels come from other people: a control character in one must not reach the terminal, and one that nobody sees makes no other name. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
}

/** A message may come from another host, or repeat a name from there; its own line breaks are kept. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}

/** What JSON and YAML leave as it is, and a terminal may obey or nobody sees: control characters, those that turn text around, those without a width. */
const UNSEEN = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Each half of a pair by itself, as JSON has it and YAML takes it. */
function escaped(character: string): string {
  return Array.from({ length: character.length }, (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`).join('');
}

/** Columns as wide as their widest cell, a line of dashes below the head. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map(printable));
  const widths = head.map((title, at) => Math.max(title.length, ...cells.map((row) => row[at]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join(' ')
      .trimEnd();
  return [line(head), widths.map((width) => '-'.repeat(width)).join(' '), ...cells.map(line)].join('\n');
}

/**
 * Any value from elsewhere as a cell of a table: text and numbers as they are, what is made of parts as JSON, nothing as nothing; cut, since one
 * long cell makes every row of a table as wide. Never throws: whoever writes one value may not keep the others from being read.
 */
export function cellText(value: unknown, mostCharacters: number): string {
  const text = plainText(value);
  if (text.length <= mostCharacters) return text;
  return `${text.slice(0, mostCharacters - 1).toWellFormed()}…`;
}

function plainText(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string') return value;
  try {
    return JSON.stringify(value) ?? '';
  } catch {
    // nested deeper than the stack of JSON.stringify
    return '(cannot be shown)';
  }
}

export function labelsText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}

/** "k=v,k2=v2" as Teleport's flags take it. */
export function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const pair of text.split(',').filter((part) => part !== '')) {
    const at = pair.indexOf('=');
    if (at <= 0) throw new InvalidArgumentError(`"${pair}" is not key=value.`);
    labels[pair.slice(0, at).trim()] = pair.slice(at + 1).trim();
  }
  return { ...labels };
}

/** "a,b" or a flag given several times. */
export function collectList(value: string, before: readonly string[] = []): string[] {
  return [
    ...before,
    ...value
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== ''),
  ];
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** "30m", "1h30m", "2d" in milliseconds. */
export function parseDuration(text: string): number {
  const parts = [...text.matchAll(/(\d+)([smhd])/g)];
  if (parts.length === 0 || parts.map((part) => part[0]).join('') !== text) {
    throw new InvalidArgumentError('Write a duration such as 30m, 8h or 1h30m.');
  }
  return parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (UNIT_MS[unit ?? ''] ?? 0), 0);
}

export function durationText(ms: number): string {
  const minutes = Math.max(0, Math.floor(ms / 60_000));
  const hours = Math.floor(minutes / 60);
  return hours > 0 ? `${hours}h${minutes % 60}m0s` : `${minutes}m${Math.floor((Math.max(0, ms) % 60_000) / 1000)}s`;
}
