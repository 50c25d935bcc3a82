import { readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import type { StartedAgent } from '@postern/agent';
import { type MemberMaterial, openAuthChannel } from '@postern/membership';
import { joinAs, type Place, startLightAgent } from '#swarm/light-agent.ts';

/** From the parent, one at a time; each is answered. */
export type Order =
  | { readonly act: 'start'; readonly place: Omit<Place, 'hostCaPems'>; readonly adminFile: string; readonly names: readonly string[] }
  | { readonly act: 'count' }
  | { readonly act: 'stop' };

export interface Counted {
  readonly agents: number;
  /** Attached to a proxy, heard by auth within a minute, and what they announce admitted. */
  readonly ready: number;
  /** Of those that are not, by reason. */
  readonly reasons: Readonly<Record<string, number>>;
}

/** Joins and starts at a time. */
const AT_ONCE = 16;

const agents: StartedAgent[] = [];

/** Agents stand on hosts of their own: each connection comes from one of 250 loopback addresses, as if twenty stood behind each NAT. */
const HOSTS = 250;
// oxlint-disable-next-line unbound-method -- called with the socket as its `this` below
const { connect } = Socket.prototype;
Socket.prototype.connect = function fromSomeHost(this: Socket, ...given: unknown[]) {
  // net.connect hands over its arguments already sorted: an array whose first element is the options.
  const [first] = Array.isArray(given[0]) ? (given[0] as unknown[]) : given;
  if (typeof first === 'object' && first !== null && 'port' in first)
    Object.assign(first, { localAddress: `127.1.0.${1 + Math.floor(Math.random() * HOSTS)}` });
  return Reflect.apply(connect, this, given) as Socket;
};

process.on('message', (order: Order) => {
  void obey(order).then(
    (answer) => process.send?.(answer),
    (error: unknown) => process.send?.({ failed: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));

async function obey(order: Order): Promise<object> {
  if (order.act === 'start') return start(order);
  if (order.act === 'count') return count();
  process.exit(0);
}

async function start({ place: told, adminFile, names }: Extract<Order, { act: 'start' }>): Promise<object> {
  const { hostCaPems, cluster, certificatePem, privateKeyPem } = JSON.parse(readFileSync(adminFile, 'utf8')) as {
    readonly hostCaPems: readonly string[];
    readonly cluster: string;
    readonly certificatePem: string;
    readonly privateKeyPem: string;
  };
  const place = { ...told, hostCaPems };
  const client = { certificatePem, privateKeyPem };
  const admin = openAuthChannel({ address: place.authServer, via: 'direct', hostCaPems, cluster, client });
  const joined = new Map<string, MemberMaterial>();
  await each(names, async (name) => void joined.set(name, await joinAs(name, place, admin)));
  admin.close();
  await each([...joined], async ([name, material]) => void agents.push(await startLightAgent(name, material, place)));
  return { started: agents.length };
}

async function each<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const waiting = items.values();
  const work = async () => {
    for (const item of waiting) await act(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

async function count(): Promise<Counted> {
  const reasons: Record<string, number> = {};
  let ready = 0;
  for (const agent of agents) {
    const { ok, reason = '' } = await agent.ready();
    if (ok) ready += 1;
    else reasons[reason] = (reasons[reason] ?? 0) + 1;
  }
  return { agents: agents.length, ready, reasons };
}
