import type { Mode } from '#options.ts';

/** Faults by operation; the one for an operation goes before the one for all. */
export class Modes {
  readonly #modes = new Map<string, { readonly mode: Mode; left: number; untilMs: number | undefined }>();

  constructor(modes: Readonly<Record<string, Mode>> = {}) {
    for (const [operation, mode] of Object.entries(modes)) this.set(operation, mode);
  }

  set(operation: string, mode: Mode | undefined): void {
    if (mode === undefined) this.#modes.delete(operation);
    else this.#modes.set(operation, { mode, left: mode.times ?? Number.POSITIVE_INFINITY, untilMs: undefined });
  }

  /** The fault that a request meets, counted; one with an end is measured from the first request that meets it. */
  take(operation: string, nowMs: number): Mode | undefined {
    for (const key of [operation, '*']) {
      const found = this.#modes.get(key);
      if (found === undefined) continue;
      if (found.mode.forMs !== undefined) {
        found.untilMs ??= nowMs + found.mode.forMs;
        if (nowMs >= found.untilMs) {
          this.#modes.delete(key);
          continue;
        }
      }
      found.left -= 1;
      if (found.left <= 0) this.#modes.delete(key);
      return found.mode;
    }
    return undefined;
  }
}
