import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { PosternError } from '@postern/api';
import { makeTicket, resourceId } from '@postern/pki';
import type { Operation, Store } from '@postern/store';
import { MAX_SESSION_TTL_MS } from '#config.ts';
import type { Sealed, Sealer } from '#seal/sealer.ts';
import { changeEntry } from '#state/change-entry.ts';
import { keys } from '#state/keys.ts';

export interface RouteKey {
  readonly key: Buffer;
  readonly createdMs: number;
  readonly notAfterMs: number;
}
interface StoredRouteKey {
  readonly sealed: Sealed;
  readonly createdMs: number;
  readonly notAfterMs: number;
}

const DAY_MS = 24 * 3_600_000;
/** A new key signs nothing until every proxy has had time to hear of it. */
const KNOWN_AFTER_MS = 5 * 60_000;
/** Signs for a day, then verifies for as long as the longest ticket that it may have signed. */
const KEPT_MS = DAY_MS + KNOWN_AFTER_MS + MAX_SESSION_TTL_MS;
const CHECK_EVERY_MS = 60_000;
const SEAL_CONTEXT = 'route key';

/** The first key of a new cluster, made in the same step as its authorities. */
export function firstRouteKey(options: { readonly sealer: Sealer; readonly nowMs: number }): Operation {
  const { sealer, nowMs } = options;
  return { kind: 'create', key: keys.routeKeys, value: JSON.stringify([newStored(sealer, nowMs)]) };
}

/** The keys that sign route tickets and prove client addresses. Known to auth and proxies; replaced each day by compare-and-set. */
export class RouteKeys {
  readonly #store: Store;
  readonly #sealer: Sealer;
  readonly #nowMs: () => number;
  #current: readonly RouteKey[] = [];

  private constructor(options: { readonly store: Store; readonly sealer: Sealer; readonly nowMs: () => number }) {
    this.#store = options.store;
    this.#sealer = options.sealer;
    this.#nowMs = options.nowMs;
  }

  static async open(options: { readonly store: Store; readonly sealer: Sealer; readonly nowMs: () => number }): Promise<RouteKeys> {
    const ring = new RouteKeys(options);
    await ring.rotateIfDue();
    return ring;
  }

  /** Those that may still verify something. */
  current(): readonly RouteKey[] {
    const nowMs = this.#nowMs();
    return this.#current.filter((key) => key.notAfterMs > nowMs);
  }

  ticketFor(route: { readonly kind: string; readonly name: string; readonly expiresMs: number }): string {
    return makeTicket({ resourceId: resourceId(route.kind, route.name), expiresMs: route.expiresMs, key: this.#signingKey() });
  }

  async rotateIfDue(): Promise<void> {
    const nowMs = this.#nowMs();
    const entry = await changeEntry(this.#store, keys.routeKeys, (current) => {
      const stored = current === undefined ? [] : (JSON.parse(current.value) as StoredRouteKey[]);
      const isDue = !stored.some((key) => nowMs - key.createdMs < DAY_MS);
      return isDue
        ? { value: JSON.stringify([...stored.filter((key) => key.notAfterMs > nowMs), newStored(this.#sealer, nowMs)]) }
        : undefined;
    });
    if (entry !== undefined) this.#read(entry.value);
  }

  /** Until the signal aborts: a due rotation by this auth is made, one by another is read. */
  async keepRotating(signal: AbortSignal, onError: (error: unknown) => void): Promise<void> {
    while (!signal.aborted) {
      await sleep(CHECK_EVERY_MS, undefined, { signal, ref: false }).catch(() => undefined);
      if (!signal.aborted) await this.rotateIfDue().catch(onError);
    }
  }

  /** The set now, then each that replaces it. */
  async *watch(signal: AbortSignal): AsyncGenerator<readonly RouteKey[]> {
    for await (const event of this.#store.watch(keys.routeKeys, { signal })) {
      if (event.type !== 'put' || event.entry.key !== keys.routeKeys) continue;
      this.#read(event.entry.value);
      yield this.current();
    }
  }

  #read(value: string): void {
    this.#current = (JSON.parse(value) as StoredRouteKey[]).map(({ sealed, createdMs, notAfterMs }) => ({
      key: this.#sealer.open(sealed, SEAL_CONTEXT),
      createdMs,
      notAfterMs,
    }));
  }

  #signingKey(): Buffer {
    const nowMs = this.#nowMs();
    const live = [...this.current()].sort((a, b) => b.createdMs - a.createdMs);
    const chosen = live.find((key) => nowMs - key.createdMs >= KNOWN_AFTER_MS) ?? live.at(-1);
    if (chosen === undefined) throw new PosternError('unavailable', 'there is no route key to sign a ticket with');
    return chosen.key;
  }
}

function newStored(sealer: Sealer, nowMs: number): StoredRouteKey {
  return { sealed: sealer.seal(randomBytes(32), SEAL_CONTEXT), createdMs: nowMs, notAfterMs: nowMs + KEPT_MS };
}
