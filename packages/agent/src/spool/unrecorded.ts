import { randomUUID } from 'node:crypto';
import { EventFields, EventHead, type SpoolEvent } from '#spool/event.ts';

/** Users that are told apart; those that come after are counted together and without a name. */
const maxUsers = 1000;

interface Counted {
  readonly head: EventHead;
  readonly firstMs: number;
  lastMs: number;
  readonly byCode: Record<string, number>;
}

/** Events that found no room, counted by their users until one event of each can say how many there were. */
export class Unrecorded {
  readonly #byUser = new Map<string, Counted>();
  #total = 0;

  /** Users with events of whom nothing is said yet. */
  get size(): number {
    return this.#byUser.size;
  }

  /** All that were ever counted. */
  get total(): number {
    return this.#total;
  }

  count({ head, code }: SpoolEvent, nowMs: number): void {
    this.#total += 1;
    const isNamed = head.fault === undefined && (this.#byUser.has(head.user) || this.#byUser.size < maxUsers);
    const user = isNamed ? head.user : '';
    let counted = this.#byUser.get(user);
    if (counted === undefined) {
      counted = { head: isNamed ? headOf(head) : nobody, firstMs: nowMs, lastMs: nowMs, byCode: {} };
      this.#byUser.set(user, counted);
    }
    counted.lastMs = nowMs;
    counted.byCode[code] = (counted.byCode[code] ?? 0) + 1;
  }

  /** What is to be said now, an event a user. */
  *events(nowMs: number): Iterable<SpoolEvent> {
    for (const { head, firstMs, lastMs, byCode } of this.#byUser.values()) {
      const fields = EventFields.of({
        not_recorded: Object.values(byCode).reduce((sum, count) => sum + count, 0),
        by_code: byCode,
        first_time: new Date(firstMs).toISOString(),
        last_time: new Date(lastMs).toISOString(),
        error: 'there was no room in the audit spool of the agent for these events of this user one by one',
      });
      yield { head, id: randomUUID(), code: 'TAG00W', timeMs: nowMs, success: false, fields };
    }
  }

  /** It was said. */
  told({ head }: SpoolEvent): void {
    this.#byUser.delete(head.user);
  }
}

/** Auth believes of a user what is said with a session of his: that of the first of his events. */
function headOf({ user, resource, sessionId }: Pick<EventHead, 'user' | 'resource' | 'sessionId'>): EventHead {
  return new EventHead({ kind: 'agent.events.not_recorded', user, resource, sessionId });
}

const nobody = headOf({ user: '', resource: '', sessionId: '' });
