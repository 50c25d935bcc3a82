/** What is known of one segment on disk. */
export interface TrackedSegment {
  readonly number: number;
  /** Durable and readable. */
  bytes: number;
  /** Bytes behind those that could not be read: the file is kept for a person to look at instead of being deleted. */
  readonly damagedBytes: number;
  /** Up to where auth has acknowledged. */
  offset: number;
  active: boolean;
}

const groupMs = 1000;

/** The segments in order, and how many events wait in them since when. */
export class SegmentList {
  readonly #segments: TrackedSegment[] = [];
  #groups: { readonly ms: number; count: number }[] = [];
  #waiting = 0;
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get waiting(): number {
    return this.#waiting;
  }

  get oldestMs(): number | undefined {
    return this.#groups[0]?.ms;
  }

  get first(): TrackedSegment | undefined {
    return this.#segments[0];
  }

  add(segment: TrackedSegment): void {
    this.#segments.push(segment);
    this.#bytes += segment.bytes + segment.damagedBytes;
  }

  grown(segment: TrackedSegment, bytes: number): void {
    segment.bytes += bytes;
    this.#bytes += bytes;
  }

  removeFirst(): void {
    const first = this.#segments.shift();
    if (first !== undefined) this.#bytes -= first.bytes + first.damagedBytes;
  }

  /** The oldest segment with anything that was not acknowledged. */
  nextToUpload(): TrackedSegment | undefined {
    return this.#segments.find((segment) => segment.offset < segment.bytes);
  }

  stored(count: number, ms: number): void {
    if (count === 0) return;
    this.#waiting += count;
    const last = this.#groups.at(-1);
    if (last !== undefined && Math.abs(ms - last.ms) < groupMs) last.count += count;
    else this.#groups.push({ ms, count });
  }

  acknowledged(count: number): void {
    this.#waiting = Math.max(0, this.#waiting - count);
    let left = count;
    for (let group = this.#groups[0]; group !== undefined && left > 0; group = this.#groups[0]) {
      const taken = Math.min(left, group.count);
      group.count -= taken;
      left -= taken;
      if (group.count === 0) this.#groups.shift();
    }
    if (this.#waiting === 0) this.#groups = [];
  }
}
