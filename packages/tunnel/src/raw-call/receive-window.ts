import type { Http2Session } from 'node:http2';

export interface ReceiveWindowLimits {
  /** What each stream may have under way towards this end at first. */
  readonly streamWindowBytes: number;
  readonly windowBytes: number;
}

/**
 * Twice for the news that bytes were taken, which has to travel back; and twice because a sender that waits for the window sends in
 * bursts, of which a sample begins in the middle.
 */
const HEADROOM = 4;

/**
 * The windows of a session's streams towards this end: small at first, and as large as the path turns out to need. What is
 * under way beyond rate times round trip only stands in queues, where every small answer of the session stands behind it; what
 * is missing to it costs throughput. The round trip counts as it was when it was shortest, so that a queue does not justify itself.
 */
export class ReceiveWindow {
  readonly #session: Http2Session;
  readonly #maxBytes: number;
  #bytes: number;
  #sinceSample = 0;
  #sampling = false;
  #shortestMs = Number.POSITIVE_INFINITY;

  constructor(session: Http2Session, { streamWindowBytes, windowBytes }: ReceiveWindowLimits) {
    this.#session = session;
    this.#bytes = streamWindowBytes;
    this.#maxBytes = windowBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Small traffic costs a ping for every half window, and changes nothing. */
  received(bytes: number): void {
    this.#sinceSample += bytes;
    if (!this.#sampling && this.#sinceSample >= this.#bytes / 2 && this.#bytes < this.#maxBytes) this.sample();
  }

  /** A round trip, and what comes meanwhile. Once before anything is asked of the session, so that the shortest one is known. */
  sample(): void {
    if (this.#session.destroyed || this.#session.closed) return;
    this.#sinceSample = 0;
    this.#sampling = this.#session.ping((error, ms) => {
      this.#sampling = false;
      if (error !== null || this.#session.destroyed) return;
      this.#shortestMs = Math.min(this.#shortestMs, ms);
      this.#growFor((this.#sinceSample / ms) * this.#shortestMs * HEADROOM);
      this.#sinceSample = 0;
    });
  }

  /** Doubled, so that there are few steps; each is a SETTINGS frame that holds for the streams that are open too. */
  #growFor(wantedBytes: number): void {
    if (wantedBytes <= this.#bytes) return;
    while (this.#bytes < wantedBytes && this.#bytes < this.#maxBytes) this.#bytes *= 2;
    this.#bytes = Math.min(this.#bytes, this.#maxBytes);
    this.#session.settings({ initialWindowSize: this.#bytes });
  }
}
