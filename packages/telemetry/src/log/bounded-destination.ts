import type { Writable } from 'node:stream';
import { limits } from '@postern/limits';

export interface BoundedDestination {
  write(line: string): void;
  readonly droppedLines: number;
  readonly waitingBytes: number;
}

/**
 * Node writes to a pipe or a file at once as long as it takes more, and keeps the rest in memory without a bound: this
 * is the bound. Writing a log line never waits and never fails.
 */
export function boundedDestination(
  stream: Writable,
  format: (line: string) => string,
  onResumed: (dropped: number) => string,
): BoundedDestination {
  let droppedLines = 0;
  let unreported = 0;
  // A reader that has gone away (EPIPE) must not end the service.
  stream.on('error', () => undefined);
  return {
    write(line) {
      if (stream.writableLength + line.length > limits.logBufferBytes || stream.destroyed) {
        droppedLines += 1;
        unreported += 1;
        return;
      }
      if (unreported > 0 && stream.writableLength < limits.logBufferBytes / 2) {
        const dropped = unreported;
        unreported = 0;
        stream.write(format(onResumed(dropped)));
      }
      stream.write(format(line));
    },
    get droppedLines() {
      return droppedLines;
    },
    get waitingBytes() {
      return stream.writableLength;
    },
  };
}
