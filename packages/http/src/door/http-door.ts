import type { Duplex } from 'node:stream';
import type { Exchange } from '#door/exchange.ts';
import { type DoorRules, ServerConnection, type ShortAnswer } from '#door/server-connection.ts';
import type { HttpFault } from '#grammar/http-fault.ts';
import type { HeadLimits } from '#grammar/parse-head.ts';
import { periodFor, Sweep } from '#time/sweep.ts';

export interface HttpDoorOptions<C> {
  readonly onExchange: (exchange: Exchange<C>) => void;
  /** Bytes that are no request: what is returned is answered with the fault's status, and the connection ends. */
  readonly onMalformed: (context: C, fault: HttpFault) => ShortAnswer;
  readonly limits: DoorLimits;
}

export interface DoorLimits extends HeadLimits {
  /** From the first byte of a head, or from the start of a connection, to the end of the head. */
  readonly headMs: number;
  /** Between two pieces of a body that somebody reads. */
  readonly bodyIdleMs: number;
  /** For a body in all; Infinity where bodies are of any size. */
  readonly bodyMs: number;
  /** So much of a body that nobody wants is read, so that its client reads the answer. */
  readonly maxDiscardBytes: number;
}

/** A client that was answered for the last time has so long to hang up. */
const LINGER_MS = 2000;

/**
 * Puts an HTTP/1.1 reader on each stream it is given. Requests of a stream are served strictly one after another; nothing is
 * read ahead of the one that is served but what came in the same piece. `C` travels with each exchange.
 */
export class HttpDoor<C> {
  readonly #rules: DoorRules<C>;
  readonly #connections = new Set<ServerConnection<C>>();

  constructor({ limits, onExchange, onMalformed }: HttpDoorOptions<C>) {
    const sweep = new Sweep(periodFor(limits.headMs, limits.bodyIdleMs, limits.bodyMs));
    this.#rules = {
      sweep,
      head: limits,
      headTicks: sweep.ticks(limits.headMs),
      bodyIdleTicks: sweep.ticks(limits.bodyIdleMs),
      bodyTicks: sweep.ticks(limits.bodyMs),
      lingerTicks: sweep.ticks(LINGER_MS),
      maxDiscardBytes: limits.maxDiscardBytes,
      onExchange,
      onMalformed,
      onClosed: (connection) => {
        sweep.delete(connection);
        this.#connections.delete(connection);
      },
    };
  }

  accept(stream: Duplex, context: C): void {
    const connection = new ServerConnection(stream, context, this.#rules);
    this.#connections.add(connection);
    this.#rules.sweep.add(connection);
  }

  get size(): number {
    return this.#connections.size;
  }

  /** Cuts every connection, whatever is on its way. */
  close(): void {
    for (const connection of this.#connections) connection.destroy();
  }
}
