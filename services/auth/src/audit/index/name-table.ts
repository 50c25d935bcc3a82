import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** Known by heart; the rest is asked of the table. */
const maxRemembered = 20_000;

/** Numbers for users, kinds, resources and sessions: a row and its entries in four indexes hold the number, not the text. */
export class NameTable {
  readonly #find: StatementSync;
  readonly #add: StatementSync;
  readonly #ids = new Map<string, number>();

  constructor(database: DatabaseSync) {
    this.#find = database.prepare('SELECT id FROM names WHERE name = ?');
    this.#add = database.prepare('INSERT INTO names (name) VALUES (?)');
  }

  /** Adds it where it is new. */
  idOf(name: string): number {
    const known = this.#ids.get(name);
    if (known !== undefined) return known;
    const id = this.find(name) ?? Number(this.#add.run(name).lastInsertRowid);
    if (this.#ids.size >= maxRemembered) this.#ids.clear();
    this.#ids.set(name, id);
    return id;
  }

  find(name: string): number | undefined {
    const found = this.#find.get(name)?.['id'];
    return found === undefined ? undefined : Number(found);
  }

  /** After a rollback, which took back what was added. */
  forget(): void {
    this.#ids.clear();
  }
}
