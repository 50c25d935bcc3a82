import { closeSync, openSync, writeSync } from 'node:fs';

import type { EmulatorOptions, RawLogEntry } from '#options.ts';

const maxKept = 10_000;

/** What reached "AWS": in memory for tests in the same process, and as JSON lines or values for others. */
export class RawLog {
  readonly #entries: RawLogEntry[] = [];
  readonly #file: number | undefined;
  readonly #tell: ((entry: RawLogEntry) => void) | undefined;

  constructor(target: EmulatorOptions['rawLog']) {
    this.#file = typeof target === 'string' ? openSync(target, 'a', 0o600) : undefined;
    this.#tell = typeof target === 'function' ? target : undefined;
  }

  /** Written at once, before the request is carried out: what is not here did not reach AWS. */
  add(entry: RawLogEntry): void {
    this.#entries.push(entry);
    if (this.#entries.length > maxKept) this.#entries.shift();
    if (this.#file !== undefined) writeSync(this.#file, `${JSON.stringify(entry)}\n`);
    this.#tell?.(entry);
  }

  entries(): readonly RawLogEntry[] {
    return [...this.#entries];
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
  }
}
