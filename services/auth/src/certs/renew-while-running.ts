const LONGEST_TIMER_MS = 2 ** 31 - 1;
const RETRY_MS = 60_000;

/** Does something again at two thirds of each result's life, until the signal aborts; a failure is told and tried again in a minute. */
export function renewWhileRunning(options: {
  readonly firstNotAfterMs: number;
  readonly renew: () => Promise<{ readonly notAfterMs: number }>;
  readonly nowMs: () => number;
  readonly signal: AbortSignal;
  readonly onError: (error: unknown) => void;
}): void {
  const { renew, nowMs, signal, onError } = options;
  let timer: NodeJS.Timeout | undefined;
  const schedule = (delayMs: number) => {
    if (signal.aborted) return;
    timer = setTimeout(() => void run(), Math.min(Math.max(delayMs, 1000), LONGEST_TIMER_MS));
    timer.unref();
  };
  const run = async () => {
    try {
      const { notAfterMs } = await renew();
      schedule(((notAfterMs - nowMs()) * 2) / 3);
    } catch (error) {
      onError(error);
      schedule(RETRY_MS);
    }
  };
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  schedule(((options.firstNotAfterMs - nowMs()) * 2) / 3);
}
