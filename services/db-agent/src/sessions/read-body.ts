import type { IncomingMessage } from 'node:http';
import type { BodyBudget } from '#sessions/body-budget.ts';

export interface ReadBodyOptions {
  readonly contentLength: number | undefined;
  readonly maxBytes: number;
  readonly idleMs: number;
  readonly budget: BodyBudget;
  /** Whose share of the budget it is. */
  readonly owner: string;
}

export type BodyRead =
  | { readonly bytes: Buffer /** Call once, when the bytes are no longer needed. */; readonly release: () => void }
  | { readonly failed: 'too_large' | 'no_room' | 'idle' | 'client_gone' };

/** A body without a length is paid for in steps of this. */
const STEP_BYTES = 64 * 1024;
const EMPTY = Buffer.alloc(0);

/**
 * Reads a body whole. One that arrives in one piece, as nearly all do, is handed on as it is; chunks are joined once.
 * The rest of a refused body is left to `discardRest`.
 */
export function readBody(request: IncomingMessage, options: ReadBodyOptions): Promise<BodyRead> {
  const { budget, owner, maxBytes } = options;
  let paid = options.contentLength ?? 0;
  if (paid > maxBytes) return Promise.resolve({ failed: 'too_large' });
  if (!budget.take(owner, paid)) return Promise.resolve({ failed: 'no_room' });

  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const idle = setTimeout(() => settle({ failed: 'idle' }), options.idleMs);
    const release = () => {
      budget.give(owner, paid);
      paid = 0;
    };
    const settle = (result: BodyRead) => {
      clearTimeout(idle);
      request.off('data', onData).off('end', onEnd).off('close', onClose);
      if ('failed' in result) release();
      resolve(result);
    };
    const onData = (chunk: Buffer) => {
      idle.refresh();
      size += chunk.length;
      if (size > maxBytes) return settle({ failed: 'too_large' });
      while (size > paid) {
        if (!budget.take(owner, STEP_BYTES)) return settle({ failed: 'no_room' });
        paid += STEP_BYTES;
      }
      chunks.push(chunk);
    };
    const onEnd = () => {
      const [first] = chunks;
      settle({ bytes: first === undefined ? EMPTY : chunks.length === 1 ? first : Buffer.concat(chunks, size), release });
    };
    const onClose = () => settle({ failed: 'client_gone' });
    request.on('data', onData).on('end', onEnd).on('close', onClose);
  });
}

/** Lets a refused body pass by, so that the client can read the answer on the same connection; an endless one is cut. */
export function discardRest(request: IncomingMessage, limits: { readonly maxBytes: number; readonly idleMs: number }): void {
  if (request.readableEnded || request.destroyed) return;
  let size = 0;
  const cut = () => request.socket.destroy();
  const idle = setTimeout(cut, limits.idleMs);
  request.on('data', (chunk: Buffer) => {
    idle.refresh();
    size += chunk.length;
    if (size > limits.maxBytes) cut();
  });
  request.once('close', () => clearTimeout(idle)).once('end', () => clearTimeout(idle));
  request.resume();
}
