import type { RouteKeySet } from '@postern/api';
import { readTicket } from '@postern/pki';

/** The keys that prove route tickets and client addresses, as auth sent them last. */
export class RouteKeys {
  #keys: RouteKeySet['keys'] = [];
  readonly #nowMs: () => number;
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  replace(set: RouteKeySet): void {
    this.#keys = set.keys;
  }

  get present(): boolean {
    return this.#valid().length > 0;
  }

  /** The resource that a ticket opens; undefined where it is forged, expired or of an older key. */
  resourceOf(ticket: string): Buffer | undefined {
    return readTicket({ ticket, keys: this.#valid(), nowMs: this.#nowMs() })?.resourceId;
  }

  /** The key that lasts longest, for signing client addresses. */
  get signingKey(): Buffer | undefined {
    const nowMs = this.#nowMs();
    const [last] = this.#keys.filter(({ notAfterMs }) => notAfterMs > nowMs).toSorted((a, b) => b.notAfterMs - a.notAfterMs);
    return last ? Buffer.from(last.key) : undefined;
  }

  #valid(): Buffer[] {
    const nowMs = this.#nowMs();
    return this.#keys.filter(({ notAfterMs }) => notAfterMs > nowMs).map(({ key }) => Buffer.from(key));
  }
}
