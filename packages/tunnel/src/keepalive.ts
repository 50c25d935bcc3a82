import type { ServerHttp2Session } from 'node:http2';
import type { Duplex } from 'node:stream';

export interface KeepaliveOptions {
  /** Nothing has come for so long: the peer is asked. */
  readonly everyMs: () => number;
  /** It has not answered for so long: the connection is closed. */
  readonly timeoutMs: number;
  /** Between two looks at all connections; both times above are as exact as that. */
  readonly lookMs?: number;
  readonly nowMs?: () => number;
}

interface Watched {
  readonly session: Pick<ServerHttp2Session, 'ping' | 'destroyed' | 'closed'>;
  readonly socket: Duplex & { readonly bytesRead: number };
  bytes: number;
  heardMs: number;
  askedMs: number | undefined;
}

const LOOK_MS = 2_500;

/**
 * PINGs for peers of which nothing is heard. That of grpc-js asks every one, also whoever has spoken a moment ago; with thousands of peers
 * that have PINGs of their own it was a tenth of what a proxy does while nothing happens.
 */
export class Keepalive {
  readonly #options: KeepaliveOptions;
  readonly #lookMs: number;
  readonly #nowMs: () => number;
  readonly #watched = new Set<Watched>();
  readonly #timer: NodeJS.Timeout;
  #lookedMs: number;

  constructor(options: KeepaliveOptions) {
    this.#options = options;
    this.#lookMs = options.lookMs ?? LOOK_MS;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    this.#lookedMs = this.#nowMs();
    this.#timer = setInterval(() => this.look(), this.#lookMs).unref();
  }

  /** Until the socket closes. */
  watch(session: Watched['session'], socket: Watched['socket']): void {
    const watched = { session, socket, bytes: socket.bytesRead, heardMs: this.#nowMs(), askedMs: undefined };
    this.#watched.add(watched);
    socket.once('close', () => this.#watched.delete(watched));
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#watched.clear();
  }

  look(): void {
    const nowMs = this.#nowMs();
    // This process itself stood still, and what came meanwhile is not read yet.
    const stoodStill = nowMs - this.#lookedMs > this.#lookMs + this.#options.timeoutMs / 2;
    this.#lookedMs = nowMs;
    const everyMs = this.#options.everyMs();
    for (const one of this.#watched) {
      const bytes = one.socket.bytesRead;
      if (bytes !== one.bytes || stoodStill) {
        one.bytes = bytes;
        one.heardMs = nowMs;
        one.askedMs = undefined;
      } else if (one.askedMs !== undefined) {
        if (nowMs - one.askedMs >= this.#options.timeoutMs) one.socket.destroy();
      } else if (nowMs - one.heardMs >= everyMs) {
        one.askedMs = nowMs;
        // The answer is heard as whatever else comes; one that cannot be asked is given its time as well.
        if (!one.session.destroyed && !one.session.closed) one.session.ping(() => undefined);
      }
    }
  }
}
