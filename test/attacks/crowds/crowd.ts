import { callUnary, JoinService } from '@postern/api';
import { generateKey } from '@postern/pki';
import { PASSWORD, ROLE } from '@postern/test-harness/cluster.ts';
import { dial, type Held, type HeldSession, sessionRaw, signInRaw } from '@postern/test-harness/dial.ts';
import { type Daemon, until } from '@postern/test-harness/processes.ts';
import { DATABASE, Stage } from '@postern/test-harness/stage.ts';

export const AUTH = 'auth.postern.internal';
export const TUNNEL = 'tunnel.postern.internal';

/** A cluster with its proxy apart, one agent and one user; and what an attacker gets hold of. */
export class Crowd {
  readonly stage = new Stage();
  hostCas: readonly string[] = [];
  #unhurriedMs = 0;

  async open(agentEnv: NodeJS.ProcessEnv = {}): Promise<Daemon> {
    const { cluster } = this.stage;
    await this.stage.open({ apart: true });
    const agent = this.stage.agent('agent', { env: agentEnv });
    await this.stage.attached(agent);
    const found = await cluster.mustSh(`curl -s --cacert web-ca.pem https://${cluster.proxy}/v1/webapi/find`);
    this.hostCas = (JSON.parse(found) as { readonly host_ca_pems: readonly string[] }).host_ca_pems;
    this.#unhurriedMs = await this.loginMs();
    return agent;
  }

  get port(): number {
    return this.stage.cluster.proxyPort;
  }
  get proxyPid(): number {
    return this.stage.cluster.proxyHost?.child.pid ?? 0;
  }
  get authPid(): number {
    return this.stage.cluster.authHost?.child.pid ?? 0;
  }

  #alice: Held | undefined;

  /** How many milliseconds somebody needs for `tsh login`, tries that were refused at the door included; a person may five times in half a minute. */
  async loginMs(): Promise<number> {
    const startedMs = performance.now();
    await until('a sign-in', 15_000, () => this.stage.cluster.signIn('alice').catch(() => undefined));
    return performance.now() - startedMs;
  }

  /** Two seconds; on a machine that is busy with other things, five times what it takes when nobody attacks. */
  get patienceMs(): number {
    return Math.max(2_000, 5 * this.#unhurriedMs);
  }

  signIn(): Promise<Held> {
    return signInRaw(this.stage.cluster.proxy, this.hostCas, { user: 'alice', password: PASSWORD });
  }

  async session(): Promise<HeldSession> {
    return sessionRaw(this.stage.cluster.proxy, this.hostCas, (this.#alice ??= await this.signIn()), { db: DATABASE, principal: ROLE });
  }

  /** A host's identity in the hands of the attacker. */
  async host(name: string): Promise<Held & { readonly hostId: string }> {
    const { cluster } = this.stage;
    const token = (await cluster.admin(`tctl tokens add --type=db --db-name=${name} --format=text`)).trim();
    const key = generateKey();
    const client = dial(cluster.proxy, AUTH, this.hostCas);
    const request = { token, role: 'db', nodeName: name, version: '0.1.0', publicKey: key.publicKeyDer };
    const { hostId, certificatePem } = await callUnary(client, JoinService.join, request).finally(() => client.close());
    return { hostId, certificatePem, privateKeyPem: key.privateKeyPem };
  }
}
