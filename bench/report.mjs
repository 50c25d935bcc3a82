// What the shapes print: progress on stderr, tables of aligned columns on stdout.

export function say(text) {
  process.stderr.write(`${text}\n`);
}

/** The first column is aligned to the left, the others to the right. */
export function table(head, rows) {
  const lines = [head, ...rows].map((cells) => cells.map(String));
  const widths = head.map((_, column) => Math.max(...lines.map((cells) => cells[column].length)));
  const lineOf = (cells) => cells.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]) : cell.padStart(widths[at]))).join('  ');
  return lines.map(lineOf).join('\n');
}

/** The middle one, or the mean of the two in the middle. */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.floor(sorted.length / 2)]) / 2;
}

export function rounded(value, digits) {
  return Number(value.toFixed(digits));
}
