import { hash } from 'node:crypto';
import { sealOf } from '#audit/anchor/anchor.ts';
import type { Emitter } from '#audit/audit-log.ts';
import { isoTime, type PreparedEvent, withTime } from '#audit/record/prepare-event.ts';

/** A host's clock may be so far ahead of auth's; an event from later than that is taken to be of now. */
const maxClockLeadMs = 5 * 60_000;
/** What auth adds to a line, and a little more. */
const stampBytes = 512;
const hashLength = ',"hash":""}'.length + 64;

export interface StampedRecord {
  readonly event: PreparedEvent;
  readonly ei: number;
  /** The event's, unless that lies in the future. */
  readonly timeMs: number;
  /** SHA-256 over the bytes of the line that stand before `,"hash"`. */
  readonly hash: string;
  /** Where its line begins among those stamped together, and its length without the line end. */
  readonly at: number;
  readonly length: number;
}

/** Writes the lines of one commit behind one another, each chained to the one before. */
export class LineStamper {
  readonly #cluster: string;
  readonly #receivedMs: number;
  readonly #received: string;
  readonly #records: StampedRecord[] = [];
  #buffer: Buffer;
  #length = 0;
  #last: { readonly ei: number; readonly hash: string };
  #emitter: Emitter | undefined;
  #emitterText = '';

  constructor(options: {
    readonly cluster: string;
    readonly receivedMs: number;
    /** The last record that is stored. */
    readonly after: { readonly ei: number; readonly hash: string };
    /** Of the events' contents. */
    readonly expectedBytes: number;
  }) {
    this.#cluster = options.cluster;
    this.#receivedMs = options.receivedMs;
    this.#received = isoTime(options.receivedMs);
    this.#last = options.after;
    this.#buffer = Buffer.allocUnsafe(options.expectedBytes + stampBytes);
  }

  get records(): readonly StampedRecord[] {
    return this.#records;
  }

  /** The chain's end. */
  get last(): { readonly ei: number; readonly hash: string } {
    return this.#last;
  }

  /** All lines with their line ends, once the last of them has the seal of the commit. */
  finish(sealKey: Buffer): Buffer {
    const record = this.#records.pop();
    if (record === undefined) return this.#buffer.subarray(0, 0);
    this.#length = record.at + record.length - hashLength;
    this.#write(`,"seal":"${sealOf(sealKey, this.#buffer.subarray(record.at, this.#length))}"`);
    this.#end(record);
    return this.#buffer.subarray(0, this.#length);
  }

  lineOf({ at, length }: StampedRecord): string {
    return this.#buffer.toString('utf8', at, at + length);
  }

  add(event: PreparedEvent, emitter: Emitter): void {
    const ei = this.#last.ei + 1;
    const early = event.timeMs > this.#receivedMs + maxClockLeadMs;
    const claimed = early ? isoTime(event.timeMs) : '';
    const content = early ? withTime(event.content, { from: claimed, to: this.#received }) : event.content;
    const claim = early ? `,"claimed_time":"${claimed}"` : '';
    const at = this.#length;
    this.#write(`{"ei":${ei}${this.#stampOf(emitter)}${claim}${content},"prev":"${this.#last.hash}"`);
    this.#end({ event, ei, timeMs: early ? this.#receivedMs : event.timeMs, at });
  }

  #end({ event, ei, timeMs, at }: Pick<StampedRecord, 'event' | 'ei' | 'timeMs' | 'at'>): void {
    const own = hash('sha256', this.#buffer.subarray(at, this.#length));
    this.#write(`,"hash":"${own}"}\n`);
    this.#last = { ei, hash: own };
    this.#records.push({ event, ei, timeMs, hash: own, at, length: this.#length - at - 1 });
  }

  /** The same for all events of one call. */
  #stampOf(emitter: Emitter): string {
    if (emitter !== this.#emitter) {
      const { hostId, kind } = emitter;
      const stamp = { cluster_name: this.#cluster, server_id: hostId, server_kind: kind, received: this.#received };
      this.#emitter = emitter;
      this.#emitterText = `,${JSON.stringify(stamp).slice(1, -1)}`;
    }
    return this.#emitterText;
  }

  #write(text: string): void {
    // One UTF-16 unit is three bytes at most.
    const most = this.#length + text.length * 3;
    if (most > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(most, this.#buffer.length * 2));
      this.#buffer.copy(grown, 0, 0, this.#length);
      this.#buffer = grown;
    }
    this.#length += this.#buffer.write(text, this.#length);
  }
}
