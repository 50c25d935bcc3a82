import type { Cluster } from '#cluster.ts';
import type { EndpointClient } from '#endpoint-client.ts';
import { call } from '#load.ts';

const KINDS = ['users', 'roles', 'tokens', 'db'] as const;
export type Kind = (typeof KINDS)[number];

/** What somebody was told is done: after any fault it has to be in the state. What was refused or never answered is not written here. */
export class Ledger {
  readonly #resources = new Map<Kind, Map<string, string | undefined>>();
  readonly #items = new Map<string, string>();
  readonly #objects = new Map<string, string>();

  /** A resource whose write was acknowledged; `mark`, where given, is a text that its JSON must hold (the newer of two versions). */
  resource(kind: Kind, name: string, mark?: string): void {
    const known = this.#resources.get(kind) ?? new Map<string, string | undefined>();
    this.#resources.set(kind, known.set(name, mark));
  }

  /** A PutItem into the table `faults` that was answered 200. */
  item(id: string, value: string): void {
    this.#items.set(id, value);
  }

  /** A PutObject into the bucket `faults` that was answered 200. */
  object(key: string, value: string): void {
    this.#objects.set(key, value);
  }

  get size(): number {
    return [...this.#resources.values()].reduce((sum, { size }) => sum + size, this.#items.size + this.#objects.size);
  }

  /** What is missing, each in words. `port` is a tunnel through which items are read, `client` reads objects. */
  async lost(cluster: Pick<Cluster, 'admin'>, port?: number, client?: Pick<EndpointClient, 'getObject'>): Promise<readonly string[]> {
    const lost: string[] = [];
    for (const [kind, names] of this.#resources) {
      const found = new Map(
        (JSON.parse(await cluster.admin(`tctl get ${kind} --format=json`)) as { metadata: { name: string } }[]).map((resource) => [
          resource.metadata.name,
          JSON.stringify(resource),
        ]),
      );
      for (const [name, mark] of names) {
        const text = found.get(name);
        if (text === undefined) lost.push(`${kind}/${name} was acknowledged and is gone`);
        else if (mark !== undefined && !text.includes(mark))
          lost.push(`${kind}/${name} was acknowledged with ${mark} and has another version`);
      }
    }
    if (client !== undefined)
      for (const [key, value] of this.#objects) {
        const { status, body } = await client.getObject(key);
        if (body !== value) lost.push(`object ${key} was acknowledged as ${value}; GetObject says ${status} ${body}`);
      }
    if (port === undefined) return lost;
    for (const [id, value] of this.#items) {
      const answer = await call(port, 'GetItem', { TableName: 'faults', Key: { id: { S: id } }, ConsistentRead: true });
      if (!answer.body.includes(JSON.stringify(value)))
        lost.push(`item ${id} was acknowledged as ${value}; GetItem says ${answer.status} ${answer.body}`);
    }
    return lost;
  }
}
