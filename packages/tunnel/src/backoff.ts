export interface Backoff {
  nextMs(): number;
  reset(): void;
}

/**
 * Full jitter: a delay drawn evenly from 0 to the doubled cap of this attempt, so that a thousand agents that lost
 * one proxy in the same instant do not come back in the same instant.
 * Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function fullJitterBackoff(options: { readonly baseMs: number; readonly capMs: number; readonly random?: () => number }): Backoff {
  const random = options.random ?? Math.random;
  let attempt = 0;
  return {
    nextMs() {
      const ceiling = Math.min(options.capMs, options.baseMs * 2 ** Math.min(attempt, 30));
      attempt += 1;
      return Math.floor(random() * ceiling);
    },
    reset() {
      attempt = 0;
    },
  };
}
