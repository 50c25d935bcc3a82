import type { Redis } from 'ioredis';
import { StoreError } from '#store.ts';

const mustBe = [
  { name: 'appendonly', value: 'yes', loss: 'keeps nothing on disk' },
  { name: 'appendfsync', value: 'always', loss: 'answers before a write is on disk' },
  { name: 'no-appendfsync-on-rewrite', value: 'no', loss: 'stops syncing while it rewrites its log' },
  { name: 'maxmemory-policy', value: 'noeviction', loss: 'deletes entries when memory is short' },
] as const;

/**
 * Refuses a server that could lose a write it has acknowledged. A plain kill of the server shows none of these: only a
 * power cut or a full memory does, and then it is too late.
 * https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/
 */
export async function checkSettings(redis: Redis, address: string): Promise<void> {
  const role = /^role:(\S+)/m.exec(await redis.info('replication'));
  if (role?.[1] !== 'master') {
    throw new StoreError(
      'unsafe',
      `redis at ${address} is a replica, which may lack acknowledged writes: give the address of its primary (redis-cli info replication shows it)`,
    );
  }
  let given: Map<string, string>;
  try {
    const flat = (await redis.call('CONFIG', 'GET', ...mustBe.map(({ name }) => name))) as string[];
    given = new Map(flat.flatMap((name, at) => (at % 2 === 0 ? [[name, flat[at + 1] ?? ''] as const] : [])));
  } catch (cause) {
    if (!(cause instanceof Error) || !/^(ERR|NOPERM)/.test(cause.message)) throw cause;
    throw new StoreError(
      'unsafe',
      `redis at ${address} does not let its settings be read: allow it with redis-cli acl setuser <user> +config|get`,
      { cause },
    );
  }
  for (const { name, value, loss } of mustBe) {
    const found = given.get(name);
    if (found === value) continue;
    const mend = `redis-cli config set ${name} ${value}, and write it to redis.conf`;
    throw new StoreError('unsafe', `redis at ${address} has ${name} ${found ?? 'unknown'} and so ${loss}: run ${mend}`);
  }
}
