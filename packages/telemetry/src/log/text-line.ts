/** One line for people from the JSON that pino wrote: time, level, service, message, then the fields. */
export function textLine(json: string): string {
  const { time, level, service, message, err, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const head = `${plain(time)} ${plain(level).toUpperCase().padEnd(5)} ${plain(service).padEnd(8)} ${plain(message)}`;
  const rest = Object.entries(fields).map(([name, value]) => `${name}=${shown(value)}`);
  const error = err === undefined ? [] : [`err=${shown(errorText(err))}`];
  return `${[head, ...rest, ...error].join(' ')}\n`;
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(shown).join(',')}]`;
  const text = plain(value);
  return text === '' || /[\s"=]/.test(text) ? `"${text.replaceAll('"', '\\"')}"` : text;
}

/** A name that someone chose must not be able to begin a line of its own or to drive the reader's terminal. */
function plain(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`);
}

function errorText(err: unknown): string {
  if (typeof err !== 'object' || err === null) return plain(err);
  const { name, code, message, cause } = err as Record<string, unknown>;
  const own = [name, code, message]
    .filter((part) => part !== undefined)
    .map(plain)
    .join(': ');
  return cause === undefined ? own : `${own} (cause: ${errorText(cause)})`;
}
