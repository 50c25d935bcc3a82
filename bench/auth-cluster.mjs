// Auth and a proxy, each a process of its own, with users who are signed in and hosts that have joined, all played by this process over
// RPC: what is measured is auth.
import { PASSWORD, ROLE } from '../test/harness/cluster.ts';
import { dial, issueSession, signInRaw } from '../test/harness/dial.ts';
import { announceDatabase, AUTH, hostCasOf, joinHost } from '../test/harness/hosts.ts';
import { MeasuredCluster } from './measured-cluster.mjs';
import { say } from './report.mjs';

export const DATABASE = 'orders';
const MEASURED = ['auth-host', 'proxy-host'];

export class AuthCluster {
  /** Each with a channel of its own to auth. */
  hosts = [];
  #cluster = new MeasuredCluster();
  #hostCas = [];
  #clients = [];
  #users = [];

  async start({ users, hosts }) {
    const cluster = this.#cluster;
    say('starting auth and a proxy');
    await cluster.start({ apart: true });
    this.#hostCas = await hostCasOf(cluster);
    const spec = { allow: { db_labels: { '*': '*' }, db_users: [ROLE] } };
    await cluster.admin('tctl create -f', { input: JSON.stringify({ kind: 'role', version: 'v6', metadata: { name: 'bench' }, spec }) });
    for (let at = 0; at < hosts; at += 1) {
      const token = (await cluster.admin(`tctl tokens add --type=db --db-name=${DATABASE} --format=text`)).trim();
      const held = await joinHost(cluster.proxy, this.#hostCas, token);
      const client = this.#dial(held);
      await announceDatabase(client, DATABASE);
      this.hosts.push(client);
    }
    for (let at = 0; at < users; at += 1) {
      const user = `user-${at}`;
      await cluster.admin(`tctl users add ${user} --roles=bench --password-stdin`, { input: `${PASSWORD}\n` });
      this.#users.push({ user, held: await signInRaw(cluster.proxy, this.#hostCas, { user, password: PASSWORD }) });
    }
  }

  /** A connection to auth, through the proxy, of the user of this number; the users take turns. */
  userChannel(number) {
    return this.#dial(this.#users[number % this.#users.length].held);
  }

  /** A session that every host may report on. */
  async session() {
    const [{ user, held }] = this.#users;
    const client = this.#dial(held);
    const { issued } = await issueSession(client, { db: DATABASE, principal: ROLE });
    return { user, sessionId: issued.sessionId, resource: `db/${DATABASE}` };
  }

  /** How many records the log holds; throws where it is not intact. */
  async records() {
    const said = await this.#cluster.admin('tctl audit verify');
    const found = /is intact: (\d+) records/.exec(said);
    if (found === null) throw new Error(said);
    return Number(found[1]);
  }

  /** What `act` costs: its result, and for each process CPU seconds and peak MiB. */
  async measure(act) {
    const before = this.#cluster.usage(MEASURED);
    const clientBefore = process.cpuUsage();
    const started = performance.now();
    const found = await act();
    const seconds = (performance.now() - started) / 1000;
    const { user, system } = process.cpuUsage(clientBefore);
    const after = this.#cluster.usage(MEASURED);
    const each = (read) => Object.fromEntries(MEASURED.map((name) => [name, read(after[name], before[name])]));
    return {
      found,
      seconds,
      cpuSeconds: each((now, then) => now.cpuSeconds - then.cpuSeconds),
      peakMiB: each((now) => Math.round(now.peakMiB)),
      clientShare: (user + system) / 1e6 / seconds,
    };
  }

  async stop() {
    for (const client of this.#clients) client.close();
    await this.#cluster.stop();
  }

  #dial(held) {
    const client = dial(this.#cluster.proxy, AUTH, this.#hostCas, held);
    this.#clients.push(client);
    return client;
  }
}
