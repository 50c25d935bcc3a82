/** Up is from the client to the target. */
export type Way = 'up' | 'down';

/**
 * What a link does to its connections.
 * - `delay`: each chunk leaves `ms` ± `jitterMs` after it came, in order.
 * - `hold`: nothing is read, the connection stays open and loses nothing: a partition that will heal.
 * - `cut`: both ends get a FIN. `reset`: both ends get an RST.
 * - `throttle`: `bytesPerSecond`, in pieces of a twentieth of a second.
 * - `blackhole`: what comes is read and thrown away. A connection that lost bytes so is reset when the fault is lifted.
 */
export interface Fault {
  readonly mode: 'pass' | 'delay' | 'hold' | 'cut' | 'reset' | 'throttle' | 'blackhole';
  /** Of delay, hold, throttle and blackhole; both ways where it is absent. */
  readonly way?: Way;
  readonly ms?: number;
  readonly jitterMs?: number;
  readonly bytesPerSecond?: number;
  /** Which connections; all where it is absent. What is not meant keeps the fault it had. */
  readonly connections?: 'existing' | 'new';
}

export interface Counters {
  readonly accepted: number;
  readonly open: number;
  /** The target refused or could not be reached. */
  readonly failed: number;
  readonly cut: number;
  readonly reset: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly swallowed: number;
}

const modes = new Set(['pass', 'delay', 'hold', 'cut', 'reset', 'throttle', 'blackhole']);

/** Throws a sentence where the fault cannot be carried out as it is written. */
export function checkFault(given: unknown): Fault {
  const fault = given as Fault;
  if (!modes.has(fault.mode)) throw new TypeError(`mode ${JSON.stringify(fault.mode)} is none of ${[...modes].join(', ')}`);
  if (fault.mode === 'delay' && !(Number(fault.ms) >= 0)) throw new TypeError('delay needs ms');
  if (fault.mode === 'throttle' && !(Number(fault.bytesPerSecond) > 0)) throw new TypeError('throttle needs bytesPerSecond');
  if (fault.way !== undefined && (fault.mode === 'cut' || fault.mode === 'reset')) throw new TypeError(`${fault.mode} has no way`);
  return fault;
}
