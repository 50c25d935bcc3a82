import type { Duplex } from 'node:stream';
import { tunnelLimits } from '#limits.ts';
import { WaitingLine } from '#waiting-line.ts';

export interface HandshakeQueueOptions {
  /** So many handshakes run at a time; the others wait. */
  readonly atOnce: number;
  /** Beyond so many that wait a connection is closed at once. */
  readonly maxWaiting?: number;
  /** How long one waits for its turn. */
  readonly waitMs?: number;
  /** Of those that wait the one that came first is next; otherwise the last. */
  readonly inOrder?: boolean;
  /** A handshake that has run for so long, and three times as long as others take, is cut as soon as another waits. */
  readonly giveWayMs?: number;
  /** A clock that nobody sets. */
  readonly nowMs?: () => number;
}

interface Turn {
  readonly raw: Duplex;
  readonly begin: (turn: HandshakeTurn) => void;
  readonly refused: (error: Error) => void;
  timer: NodeJS.Timeout | undefined;
  beganMs: number;
  state: 'waiting' | 'running' | 'over' | 'cut';
  slow: boolean;
}

export interface HandshakeTurn {
  /** The handshake is over. False where the queue has cut it and said so. */
  over(how: 'well' | 'badly'): boolean;
}

/** Each takes a millisecond before it waits for its peer. */
const BEGIN_IN_TURN = 4;

/**
 * Lets a few TLS handshakes begin in each turn of the event loop, and a bounded number run. A thousand agents that redial at once would
 * otherwise share the processor so thinly that all of them run into the handshake's limit together, and none gets through. What has
 * begun goes on as its answers come, ahead of what begins: the pace of beginning is what the processor has left. The bound on those
 * that run is for memory alone; one that waits for its peer costs nothing else, and where peers are slow many must run.
 *
 * Whoever came last is next where people come: beyond what the processor can do, a queue in order of arrival serves those who are about to
 * give up, and nobody in time. Who waits too long has cost nothing, and comes again. Among agents, whose patience is longer than the queue, the
 * one that came first is next: otherwise a few of thousands wait until all others have come, and then begin again.
 *
 * Whoever stops in the middle of a handshake must not keep the door shut for others with a few sockets: a slow one gives
 * way once another waits. What is slow is measured by those that get through. Where all are slow, because the machines at either end
 * are busy or the wire is long, cutting them would let nobody through at all, and each would come again: patience doubles with
 * every cut until somebody has got through.
 */
export class HandshakeQueue {
  readonly #options: Required<HandshakeQueueOptions>;
  readonly #line = new WaitingLine<Turn>();
  #waiting = 0;
  #begunInTurn = 0;
  readonly #running = new Set<Turn>();
  /** What a handshake that got through takes. */
  #usualMs = 0;
  #patienceMs: number;

  constructor(options: HandshakeQueueOptions) {
    this.#options = {
      maxWaiting: tunnelLimits.handshakesWaiting,
      waitMs: tunnelLimits.handshakeMs,
      inOrder: false,
      giveWayMs: tunnelLimits.handshakeGiveWayMs,
      nowMs: () => performance.now(),
      ...options,
    };
    this.#patienceMs = this.#options.giveWayMs;
  }

  get running(): number {
    return this.#running.size;
  }
  get waiting(): number {
    return this.#waiting;
  }

  /** Calls `begin` when it is this connection's turn; where that never comes, `refused`, and closes the connection. */
  enter(raw: Duplex, begin: Turn['begin'], refused: Turn['refused']): void {
    const turn: Turn = { raw, begin, refused, timer: undefined, beganMs: 0, state: 'waiting', slow: false };
    raw.once('close', () => this.#end(turn));
    if (this.#mayBegin() && this.#waiting === 0) return this.#run(turn);
    this.#waiting += 1;
    if (this.#waiting > this.#options.maxWaiting) return this.#cut(turn, 'too many connections wait for their handshake');
    this.#line.push(turn);
    turn.timer = setTimeout(() => this.#cut(turn, 'the handshake had no turn in time'), this.#options.waitMs).unref();
    if (!this.#isFull()) return;
    for (const other of this.#running) if (other.slow) return this.#giveWay(other);
  }

  #isFull(): boolean {
    return this.#running.size >= this.#options.atOnce;
  }

  #mayBegin(): boolean {
    return !this.#isFull() && this.#begunInTurn < BEGIN_IN_TURN;
  }

  #beginMore(): void {
    while (this.#mayBegin()) {
      const next = this.#options.inOrder ? this.#line.shift() : this.#line.pop();
      if (!next) break;
      this.#waiting -= 1;
      this.#run(next);
    }
  }

  #run(turn: Turn): void {
    clearTimeout(turn.timer);
    if (this.#begunInTurn++ === 0)
      setImmediate(() => {
        this.#begunInTurn = 0;
        this.#beginMore();
      });
    this.#running.add(turn);
    turn.state = 'running';
    turn.beganMs = this.#options.nowMs();
    this.#lookAfter(turn, this.#patienceMs);
    turn.begin({
      over: (well) => {
        if (well === 'well' && turn.state === 'running') this.#learn(this.#options.nowMs() - turn.beganMs);
        this.#end(turn);
        return turn.state !== 'cut';
      },
    });
  }

  #lookAfter(turn: Turn, ms: number): void {
    turn.timer = setTimeout(() => {
      const leftMs = turn.beganMs + this.#patienceMs - this.#options.nowMs();
      if (leftMs > 0) this.#lookAfter(turn, leftMs);
      else if (this.#waiting > 0 && this.#isFull()) this.#giveWay(turn);
      else turn.slow = true;
    }, ms).unref();
  }

  #giveWay(turn: Turn): void {
    this.#patienceMs = Math.min(this.#patienceMs * 2, this.#options.waitMs);
    this.#cut(turn, 'the handshake was slow while others waited');
  }

  #learn(tookMs: number): void {
    // Quick to notice that all have become slow, and slow to forget it.
    this.#usualMs += (tookMs - this.#usualMs) / (tookMs > this.#usualMs ? 2 : 8);
    this.#patienceMs = Math.min(Math.max(this.#options.giveWayMs, 3 * this.#usualMs), this.#options.waitMs);
  }

  #cut(turn: Turn, reason: string): void {
    if (!this.#end(turn, 'cut')) return;
    turn.refused(new Error(reason));
    turn.raw.destroy();
  }

  #end(turn: Turn, as: 'over' | 'cut' = 'over'): boolean {
    if (turn.state === 'over' || turn.state === 'cut') return false;
    if (!this.#running.delete(turn)) this.#waiting -= 1;
    turn.state = as;
    clearTimeout(turn.timer);
    this.#beginMore();
    return true;
  }
}
