import { PosternError } from '@postern/api';
import { limits } from '@postern/limits';
import type { AuditFilter } from '#audit/audit-log.ts';
import type { IndexedFields } from '#audit/record/stored-line.ts';

export function matches(filter: AuditFilter, record: IndexedFields): boolean {
  return (
    (!filter.user || filter.user === record.user) &&
    (!filter.kind || filter.kind === record.kind) &&
    (!filter.resource || filter.resource === record.resource) &&
    (!filter.sessionId || filter.sessionId === record.sessionId) &&
    (!filter.fromMs || record.timeMs >= filter.fromMs) &&
    (!filter.toMs || record.timeMs < filter.toMs)
  );
}

/** New lines that one reader has not taken yet. */
export class TailQueue {
  readonly filter: AuditFilter;
  #lines: string[] = [];
  #bytes = 0;
  #failure: PosternError | undefined;
  #wake: (() => void) | undefined;

  constructor(filter: AuditFilter) {
    this.filter = filter;
  }

  push(line: string): void {
    this.#bytes += line.length;
    if (this.#bytes > limits.slowConsumerBytes)
      this.fail(new PosternError('limit_exceeded', 'the reader is too far behind the audit log: query it from the last record seen'));
    if (this.#failure === undefined) this.#lines.push(line);
    this.#wake?.();
  }

  fail(error: PosternError): void {
    this.#failure ??= error;
    this.#wake?.();
  }

  async *follow(signal: AbortSignal): AsyncGenerator<string, void, undefined> {
    while (!signal.aborted) {
      const lines = this.#lines;
      this.#lines = [];
      this.#bytes = 0;
      for (const line of lines) {
        if (signal.aborted) return;
        yield line;
      }
      if (this.#lines.length > 0) continue;
      if (this.#failure !== undefined) throw this.#failure;
      await this.#changed(signal);
    }
  }

  async #changed(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = (): void => resolve();
    this.#wake = wake;
    signal.addEventListener('abort', wake, { once: true });
    try {
      if (!signal.aborted) await promise;
    } finally {
      signal.removeEventListener('abort', wake);
      this.#wake = undefined;
    }
  }
}
