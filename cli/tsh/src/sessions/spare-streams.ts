import type { Duplex } from 'node:stream';

/** A stream that waits is closed after this: well before anybody at the other end would. */
const SPARE_MS = 5_000;
const MAX_SPARES = 16;
const ENDINGS = ['data', 'end', 'error', 'close'] as const;

interface Spare<S> {
  readonly key: string;
  readonly stream: S;
  readonly letGo: () => void;
}

const returns = new WeakMap<Duplex, () => void>();

/** For whoever is done with the stream of a local connection and its one exchange was whole: the next connection may get it. */
export function giveBack(stream: Duplex): void {
  const toOwner = returns.get(stream);
  if (toOwner === undefined) stream.destroy();
  else toOwner();
}

/**
 * Streams whose one exchange is over and whose local connection has closed. A program that opens a connection for each request, as the
 * AWS CLI does, would otherwise pay for a new stream each time, at both ends, what a few requests cost.
 */
export class SpareStreams<S extends Duplex> {
  /** The last that came is the next that leaves: the others get old and close. */
  readonly #spares: Spare<S>[] = [];

  /** One that was kept under the same key: what was said of its local connection holds for the next. */
  take(key: string): S | undefined {
    for (let at = this.#spares.length - 1; at >= 0; at -= 1) {
      const spare = this.#spares[at];
      if (spare?.key !== key) continue;
      spare.letGo();
      return spare.stream;
    }
    return undefined;
  }

  /** From here on `giveBack` keeps the stream, as long as `mayKeep` says so. */
  own(key: string, stream: S, mayKeep: () => boolean): void {
    returns.set(stream, () => {
      if (mayKeep()) this.keep(key, stream);
      else stream.destroy();
    });
  }

  /** Nobody may listen to it any more. Whatever comes before it is taken again is an answer to nothing, and closes it. */
  keep(key: string, stream: S): void {
    if (stream.destroyed || stream.readableEnded || !stream.writable || this.#spares.length >= MAX_SPARES) return void stream.destroy();
    const letGo = () => {
      clearTimeout(timer);
      this.#spares.splice(this.#spares.indexOf(spare), 1);
      for (const event of ENDINGS) stream.off(event, drop);
      stream.pause();
    };
    const drop = () => {
      letGo();
      stream.destroy();
    };
    const timer = setTimeout(drop, SPARE_MS).unref();
    const spare: Spare<S> = { key, stream, letGo };
    this.#spares.push(spare);
    for (const event of ENDINGS) stream.on(event, drop);
    stream.resume();
  }

  closeAll(): void {
    for (const { stream, letGo } of this.#spares.slice()) {
      letGo();
      stream.destroy();
    }
  }
}
