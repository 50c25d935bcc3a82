/** Where a message is cut: an SDK logs it whole. */
const maxMessageLength = 2000;

/** What no XML may hold, and what a log should not: control characters, and halves of surrogate pairs. */
export function printable(text: string): string {
  const cut = text.length > maxMessageLength ? `${text.slice(0, maxMessageLength)}…` : text;
  return cut.toWellFormed().replaceAll(/[\p{Cc}\ufffe\uffff]+/gu, ' ');
}
