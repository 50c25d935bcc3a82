import { networkOf } from '@postern/pki';
import { RateLimiter } from '#limits/rate-limiter.ts';

export interface FailureVerdict {
  readonly isWithinLimit: boolean;
  readonly isRecorded: boolean;
  /** How many refusals were not written since the last that was. */
  readonly unrecordedBefore: number;
}

/**
 * Limits count failed joins only, after the token was looked up: a flood of guesses, even one through the same proxy or
 * gateway, never keeps out a host that has a real token. What the limits save is the audit log, which would otherwise
 * be filled by anybody: past them refusals are counted and written as a number.
 */
export class JoinLimits {
  readonly #byNetwork = new RateLimiter({ limit: 20, windowMs: 60_000 });
  readonly #overall = new RateLimiter({ limit: 300, windowMs: 60_000 });
  #unrecorded = 0;

  countFailure(address: string, nowMs: number): FailureVerdict {
    const isWithinLimit = this.#byNetwork.take(networkOf(address), nowMs);
    const isRecorded = isWithinLimit && this.#overall.take('all', nowMs);
    const unrecordedBefore = this.#unrecorded;
    this.#unrecorded = isRecorded ? 0 : unrecordedBefore + 1;
    return { isWithinLimit, isRecorded, unrecordedBefore };
  }
}
