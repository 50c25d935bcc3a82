import type { CredentialSource } from '@postern/aws';
import type { Logger } from '@postern/telemetry';

/** A source that comes back is found within this and what asking it takes; renewing is decided by the source, so that a look costs nothing. */
const LOOK_EVERY_MS = 10_000;

export interface CredentialWatchOptions {
  readonly source: Pick<CredentialSource, 'current' | 'problem'>;
  readonly logger: Logger;
}

/**
 * Looks for the agent's own AWS credentials from the start on, whether or not anybody needs them yet: an administrator reads of a lack in
 * /readyz and in the log before a user meets it. The agent runs without them; what it cannot sign it refuses.
 */
export class CredentialWatch {
  readonly #options: CredentialWatchOptions;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #looked = false;
  #told: string | undefined;

  constructor(options: CredentialWatchOptions) {
    this.#options = options;
    void this.#look();
  }

  problems(): readonly string[] {
    if (!this.#looked) return ['the agent’s AWS credentials are still being looked for'];
    const { problem } = this.#options.source;
    return problem === undefined ? [] : [problem];
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    const { source } = this.#options;
    // Why there are none is what the source says of itself.
    await source.current().catch(() => undefined);
    this.#looked = true;
    this.#tell(source.problem);
    if (!this.#stopped) this.#timer = setTimeout(() => void this.#look(), LOOK_EVERY_MS).unref();
  }

  /** Once for each turn, and not for each look, nor for each request that meets it. */
  #tell(problem: string | undefined): void {
    const { logger } = this.#options;
    if (problem !== undefined && problem !== this.#told)
      logger.warn({ reason: problem }, 'the AWS credentials of this agent are in trouble: they are looked for until they are had');
    if (problem === undefined && this.#told !== undefined) logger.info({}, 'the AWS credentials of this agent are there again');
    this.#told = problem;
  }
}
