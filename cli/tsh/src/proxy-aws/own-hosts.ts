import { awsDomains } from '@postern/aws';

export interface OwnHostsOptions {
  /** What an agent says of the session. */
  readonly describe: () => Promise<{ readonly ownHosts: readonly string[] }>;
  /** Told where nobody answered: what would be the application's is joined untouched then. */
  readonly onUnknown: (error: unknown) => void;
  readonly nowMs?: () => number;
}

/** An application that names another host has it here within a minute. */
const KNOWN_MS = 60_000;
/** While nobody answers, what is nobody's business but the program's does not wait for it each time. */
const UNKNOWN_MS = 10_000;

/**
 * The hosts under AWS's domains that the application names as the operator's own, as an agent tells them when a program wants such a host. Of
 * other domains it has nothing to say: a stolen agent must not end the TLS of what is not AWS's.
 */
export class OwnHosts {
  readonly #options: OwnHostsOptions;
  readonly #nowMs: () => number;
  #told: Promise<ReadonlySet<string>> | undefined;
  #goodUntilMs = 0;

  constructor(options: OwnHostsOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  async has(host: string): Promise<boolean> {
    if (!awsDomains().some((domain) => host.endsWith(`.${domain}`))) return false;
    if (this.#told === undefined || this.#nowMs() >= this.#goodUntilMs) this.#told = this.#ask();
    return (await this.#told).has(host);
  }

  async #ask(): Promise<ReadonlySet<string>> {
    // Whoever comes meanwhile shares the question.
    this.#goodUntilMs = Number.POSITIVE_INFINITY;
    try {
      const { ownHosts } = await this.#options.describe();
      this.#goodUntilMs = this.#nowMs() + KNOWN_MS;
      return new Set(ownHosts);
    } catch (error) {
      this.#goodUntilMs = this.#nowMs() + UNKNOWN_MS;
      this.#options.onUnknown(error);
      return new Set();
    }
  }
}
