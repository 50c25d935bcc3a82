export type CheckResult = { readonly ok: true } | { readonly ok: false; readonly reason: string };

export interface HealthReport {
  readonly ok: boolean;
  /** 200 or 503. */
  readonly status: number;
  readonly checks: Readonly<Record<string, { readonly ok: boolean; readonly reason?: string }>>;
}

export interface HealthCheck {
  readonly name: string;
  /** `alive` where only a restart helps; `ready` where others should send no work for the moment. */
  readonly decides: 'alive' | 'ready';
  readonly check: () =>
    | CheckResult
    | { readonly ok: boolean; readonly reason?: string }
    | Promise<CheckResult | { readonly ok: boolean; readonly reason?: string }>;
}

/** Reasons are shown to whoever asks on the diagnostic address: the same rule as for errors, never a secret. */
export class Health {
  readonly #checks: HealthCheck[] = [];
  readonly #timeoutMs: number;

  constructor(options: { readonly timeoutMs?: number } = {}) {
    this.#timeoutMs = options.timeoutMs ?? 2000;
  }

  add(check: HealthCheck): void {
    if (this.#checks.some(({ name }) => name === check.name)) throw new TypeError(`health check ${check.name} is there already`);
    this.#checks.push(check);
  }

  /** `ready` asks every check, `alive` only those that a restart would mend. */
  async report(decides: HealthCheck['decides']): Promise<HealthReport> {
    const asked = this.#checks.filter((check) => decides === 'ready' || check.decides === 'alive');
    const results = await Promise.all(asked.map(async (check) => [check.name, await this.#run(check)] as const));
    const ok = results.every(([, result]) => result.ok);
    return { ok, status: ok ? 200 : 503, checks: Object.fromEntries(results) };
  }

  async #run(check: HealthCheck): Promise<{ ok: boolean; reason?: string }> {
    const late = Promise.withResolvers<CheckResult>();
    const timer = setTimeout(() => late.resolve({ ok: false, reason: `no answer within ${this.#timeoutMs} ms` }), this.#timeoutMs);
    try {
      return await Promise.race([(async () => check.check())(), late.promise]);
    } catch (error) {
      return { ok: false, reason: error instanceof Error ? error.message : 'the check failed' };
    } finally {
      clearTimeout(timer);
    }
  }
}
