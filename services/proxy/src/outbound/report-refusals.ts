import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '@grpc/grpc-js';
import { type AuditEvent, AuditService, callUnary } from '@postern/api';
import { fullJitterBackoff } from '@postern/tunnel';

export interface Refusal {
  readonly clientAddress: string;
  readonly reason: string;
  readonly door: 'session' | 'auth' | 'tunnel';
}

/** Anybody can be refused as often as he likes; the log takes so many a minute and counts the rest. */
const MAX_A_MINUTE = 120;
/** What waits while auth is away. It is lost with the process: a proxy has no disk that anybody relies on. */
const MAX_WAITING = 256;
const EVERY_MS = 1_000;
const MAX_REASON_LENGTH = 2_048;

/** Connections that this proxy turned away at a door of the cluster, on their way to the audit log. */
export class RefusalReports {
  readonly #hostId: string;
  readonly #nowMs: () => number;
  readonly #waiting: AuditEvent[] = [];
  #minute = 0;
  #taken = 0;
  #suppressed = 0;

  constructor(options: { readonly hostId: string; readonly nowMs: () => number }) {
    this.#hostId = options.hostId;
    this.#nowMs = options.nowMs;
  }

  get waiting(): readonly AuditEvent[] {
    return this.#waiting;
  }

  add({ clientAddress, reason, door }: Refusal): void {
    const timeMs = this.#nowMs();
    const minute = Math.floor(timeMs / 60_000);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#taken = 0;
    }
    if (this.#taken >= MAX_A_MINUTE || this.#waiting.length >= MAX_WAITING) return void (this.#suppressed += 1);
    this.#taken += 1;
    const fields = {
      door,
      error: reason.slice(0, MAX_REASON_LENGTH),
      'addr.remote': clientAddress,
      ...(this.#suppressed > 0 ? { refusals_not_recorded: this.#suppressed } : {}),
    };
    this.#suppressed = 0;
    this.#waiting.push({
      id: randomUUID(),
      kind: 'proxy.refused',
      code: 'TPX00W',
      timeMs,
      user: '',
      resource: `host/${this.#hostId}`,
      sessionId: '',
      success: false,
      fieldsJson: Buffer.from(JSON.stringify(fields)),
    });
  }

  /** Sends what waits until `signal` aborts. An event that was sent and not acknowledged is sent again: auth knows it by its id. */
  async keepSending(options: {
    readonly openAuth: () => Client;
    readonly signal: AbortSignal;
    readonly onFailed: (error: unknown) => void;
  }): Promise<void> {
    const backoff = fullJitterBackoff({ baseMs: 500, capMs: 30_000 });
    while (!options.signal.aborted) {
      let waitMs = EVERY_MS;
      try {
        await this.#send(options.openAuth);
        backoff.reset();
      } catch (error) {
        waitMs = Math.max(EVERY_MS, backoff.nextMs());
        options.onFailed(error);
      }
      await delay(waitMs, undefined, { signal: options.signal }).catch(() => undefined);
    }
  }

  async #send(openAuth: () => Client): Promise<void> {
    const events = [...this.#waiting];
    if (events.length === 0) return;
    const client = openAuth();
    try {
      await callUnary(client, AuditService.appendEvents, { events }, { deadlineMs: 10_000 });
      this.#waiting.splice(0, events.length);
    } finally {
      client.close();
    }
  }
}
