/** Where a roster keeps it; of nobody else's concern. */
export interface Listed {
  rosterAt: number | undefined;
}

/**
 * What comes and goes with each request, in no order. Not a Set: V8 makes a new table for each few dozen that came and went, and the old one
 * refers to the new. Once one of them is in the old generation, all that stood in those after it is kept until the whole heap is
 * collected, each request with everything it holds: decision 13.
 */
export class Roster<T extends Listed> {
  readonly #members: T[] = [];

  get size(): number {
    return this.#members.length;
  }

  /** It is in no roster. */
  add(member: T): void {
    member.rosterAt = this.#members.push(member) - 1;
  }

  /** Whoever is not in it any more is let be. */
  remove(member: T): void {
    const at = member.rosterAt;
    const last = this.#members.at(-1);
    if (at === undefined || last === undefined || this.#members[at] !== member) return;
    this.#members[at] = last;
    last.rosterAt = at;
    this.#members.pop();
    member.rosterAt = undefined;
  }

  /** Those of now, whoever goes meanwhile. */
  all(): readonly T[] {
    return [...this.#members];
  }
}
