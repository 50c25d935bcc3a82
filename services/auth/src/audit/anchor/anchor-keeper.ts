import type { Anchor, AnchorStore } from '#audit/anchor/anchor.ts';
import type { AuditProblem } from '#audit/audit-log.ts';

/** What was written in the last of these before a kill can be cut off unseen, and no more. */
export const anchorEveryMs = 1000;
const closeWithinMs = 5000;

type End = Pick<Anchor, 'ei' | 'hash'>;

/**
 * Moves the anchor behind the log. The log never waits for it: a store that does not answer leaves the anchor where it
 * was, and it is tried again. A store that holds another anchor than this auth left there is told as a problem.
 */
export class AnchorKeeper {
  readonly #anchors: AnchorStore;
  readonly #endOfLog: () => End;
  readonly #onProblem: (problem: Pick<AuditProblem, 'kind' | 'detail'>) => void;
  #revision: string | undefined;
  #written: Anchor | undefined;
  /** What may have been written although no answer came. */
  #attempt: Anchor | undefined;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: {
    readonly anchors: AnchorStore;
    /** Of the anchor that opening found. */
    readonly revision: string | undefined;
    readonly endOfLog: () => End;
    readonly onProblem: (problem: Pick<AuditProblem, 'kind' | 'detail'>) => void;
  }) {
    this.#anchors = options.anchors;
    this.#revision = options.revision;
    this.#endOfLog = options.endOfLog;
    this.#onProblem = options.onProblem;
  }

  /** The last anchor that is surely in the store. */
  get written(): Anchor | undefined {
    return this.#written;
  }

  /** Before the first append: from here on the log may be ahead of the anchor. */
  open(): Promise<void> {
    return this.#write({ closed: false });
  }

  /** The log has grown. */
  touch(): void {
    if (this.#timer !== undefined || this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#write({ closed: false }).catch(() => this.touch());
    }, anchorEveryMs);
    this.#timer.unref();
  }

  /** The last anchor; a store that does not answer costs `closeWithinMs`, and what a kill would have cost. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(() => late.resolve(), closeWithinMs);
    await Promise.race([this.#write({ closed: true }).catch(() => undefined), late.promise]);
    clearTimeout(timer);
  }

  #write(how: { readonly closed: boolean }): Promise<void> {
    const done = this.#writing.then(() => this.#writeNow(how));
    this.#writing = done.catch(() => undefined);
    return done;
  }

  async #writeNow({ closed }: { readonly closed: boolean }): Promise<void> {
    const { ei, hash } = this.#endOfLog();
    const anchor: Anchor = { ei, hash, closed };
    const before = this.#attempt;
    this.#attempt = anchor;
    let revision = await this.#anchors.write(anchor, this.#revision);
    if (revision === undefined) {
      const found = await this.#anchors.read();
      if (before === undefined || !isSame(found?.anchor, before)) {
        const ahead = found?.anchor !== undefined && found.anchor.ei > ei;
        const stands = found === undefined ? 'was deleted' : found.anchor === undefined ? 'was forged' : `names record ${found.anchor.ei}`;
        this.#onProblem({ kind: 'anchor_changed', detail: `the anchor in the store is not the one that was left there: it ${stands}` });
        // Of two processes with one identity the one that is behind must not hide what the other wrote.
        if (ahead) return;
      }
      revision = await this.#anchors.write(anchor, found?.revision);
      if (revision === undefined) throw new Error('the anchor in the store changes under us');
    }
    this.#revision = revision;
    this.#written = anchor;
    this.#attempt = undefined;
  }
}

const isSame = (a: Anchor | undefined, b: Anchor): boolean => a !== undefined && a.ei === b.ei && a.hash === b.hash;
