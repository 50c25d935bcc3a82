/** Those who wait, to be taken from either end. Whoever waits no longer stays in it, and is passed over. */
export class WaitingLine<T extends { readonly state: string }> {
  readonly #line: (T | undefined)[] = [];
  #from = 0;

  push(one: T): void {
    this.#line.push(one);
  }

  /** The one that came first. */
  shift(): T | undefined {
    while (this.#from < this.#line.length) {
      const one = this.#line[this.#from];
      this.#line[this.#from] = undefined;
      this.#from += 1;
      if (this.#from * 2 >= this.#line.length) {
        this.#line.splice(0, this.#from);
        this.#from = 0;
      }
      if (one?.state === 'waiting') return one;
    }
    return undefined;
  }

  /** The one that came last. */
  pop(): T | undefined {
    while (this.#from < this.#line.length) {
      const one = this.#line.pop();
      if (one?.state === 'waiting') return one;
    }
    return undefined;
  }
}
