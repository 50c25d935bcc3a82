/** A program that retries in a loop must not fill the terminal: the same line once in ten seconds. */
export function limitedNotices(write: (line: string) => void): (line: string) => void {
  const QUIET_MS = 10_000;
  let last = { line: '', atMs: 0 };
  return (line) => {
    const atMs = Date.now();
    if (line === last.line && atMs - last.atMs < QUIET_MS) return;
    last = { line, atMs };
    write(line);
  };
}
