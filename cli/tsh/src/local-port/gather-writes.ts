import type { Writable } from 'node:stream';

/** Below it a request or an answer is whole: it leaves at once. */
const LARGE_BYTES = 4 * 1024;

/**
 * Has the pieces of a long body that are written in one turn of the loop leave in one write. They come out of HTTP/2 frames and TLS
 * records, 6 KiB on average, and each would cost a system call. Call what is returned before each write.
 */
export function gatherWrites(to: Writable): (bytes: number) => void {
  let gathers = false;
  const leave = () => {
    gathers = false;
    to.uncork();
  };
  return (bytes) => {
    if (gathers || bytes < LARGE_BYTES) return;
    gathers = true;
    to.cork();
    setImmediate(leave);
  };
}
