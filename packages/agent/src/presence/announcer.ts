import type { AnnounceServersRequest, AnnounceServersResponse } from '@postern/api';
import type { ServedResource } from '#presence/served-resource.ts';

export interface AnnouncerOptions {
  readonly version: string;
  readonly nodeName: string;
  readonly announce: (request: AnnounceServersRequest) => Promise<AnnounceServersResponse>;
  /** What would be served if auth agreed. */
  readonly wanted: () => readonly ServedResource[];
  /** Told after each answer that changed what is served or under which labels. */
  readonly onAdmitted: () => void;
  /** Once for each new reason, not once a minute. */
  readonly onRefused: (refusal: { readonly name: string; readonly reason: string }) => void;
  readonly onFailed: (error: unknown) => void;
  /** How much less often auth wants to be told the same again than by a few. */
  readonly quietMs: () => number;
  /** Milliseconds before the nth try in a row, from 1. */
  readonly backoff: (attempt: number) => number;
}

/** Below a minute: what auth took for expired while its clock was wrong is back within one, and in a cluster of thousands within a few. */
export const ANNOUNCE_EVERY_MS = 45_000;
/** At the most, every 195 s: auth writes what is said again after four minutes, and forgets it after ten. */
const QUIET_BETWEEN = 5;

/**
 * Tells auth what this agent serves, again and again and at each change, and keeps its answer: which names auth refused
 * and which labels count. Nothing is served that auth has not answered for; while auth is away its last answer stands.
 */
export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #labels = new Map<string, Readonly<Record<string, string>>>();
  readonly #refusals = new Map<string, string>();
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  #again = false;
  #failures = 0;
  #stopped = false;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
  }

  /** The labels that decisions use; undefined where auth has not admitted the name. */
  labelsOf(name: string): Readonly<Record<string, string>> | undefined {
    return this.#labels.get(name);
  }
  get refusals(): ReadonlyMap<string, string> {
    return this.#refusals;
  }
  get failing(): boolean {
    return this.#failures > 0;
  }

  /** Announces now, or once more after the announcement that is under way. Resolves when auth has answered or the try failed. */
  announce(): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    if (this.#sending) {
      this.#again = true;
      return this.#sending;
    }
    clearTimeout(this.#timer);
    this.#sending = this.#run().finally(() => {
      this.#sending = undefined;
      this.#plan();
    });
    return this.#sending;
  }

  /** On a clean stop auth is told that nothing is served, so that nobody is sent here for ten minutes more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#sending;
    await this.#options.announce(this.#request([])).catch((error: unknown) => this.#options.onFailed(error));
  }

  async #run(): Promise<void> {
    do {
      this.#again = false;
      const wanted = this.#options.wanted();
      try {
        const answer = await this.#options.announce(this.#request(wanted));
        this.#failures = 0;
        this.#take(wanted, answer);
      } catch (error) {
        this.#failures += 1;
        this.#options.onFailed(error);
        return;
      }
    } while (this.#again && !this.#stopped);
  }

  #plan(): void {
    if (this.#stopped) return;
    const everyMs = ANNOUNCE_EVERY_MS + QUIET_BETWEEN * this.#options.quietMs();
    const waitMs = this.#failures > 0 ? Math.min(this.#options.backoff(this.#failures), everyMs) : this.#again ? 0 : everyMs;
    this.#timer = setTimeout(() => void this.announce(), waitMs).unref();
  }

  #take(wanted: readonly ServedResource[], answer: AnnounceServersResponse): void {
    const before = JSON.stringify([...this.#labels]);
    this.#labels.clear();
    const refused = new Map(answer.refusals.map(({ name, reason }) => [name, reason]));
    for (const { name } of wanted) {
      const labels = answer.effectiveLabels[name];
      if (refused.has(name)) continue;
      // A name that auth neither admits nor refuses has no labels to decide by.
      if (!labels) refused.set(name, 'auth named no labels for it');
      else this.#labels.set(name, labels.labels);
    }
    for (const [name, reason] of refused) if (this.#refusals.get(name) !== reason) this.#options.onRefused({ name, reason });
    this.#refusals.clear();
    for (const [name, reason] of refused) this.#refusals.set(name, reason);
    if (JSON.stringify([...this.#labels]) !== before) this.#options.onAdmitted();
  }

  #request(wanted: readonly ServedResource[]): AnnounceServersRequest {
    const servers = wanted.map(({ labels, ...rest }) => ({ ...rest, labels: { ...labels } }));
    return { servers, version: this.#options.version, nodeName: this.#options.nodeName };
  }
}
