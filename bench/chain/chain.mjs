// What a person would assemble instead of Postern: a public TLS end, OpenSSH's reverse forward, and a small proxy that signs.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startReverseSsh } from './reverse-ssh.mjs';
import { tlsEnds } from './tls-ends.mjs';

export class Chain {
  /** In the order of a request. */
  processes;
  port = 0;
  #options;
  /** Not in the cluster's folder, which none but its owner may enter: sshd runs as somebody else. */
  #sshDir = mkdtempSync(join(tmpdir(), 'postern-chain-'));

  /** `tlsEnd` is nginx or stunnel; the rest is the cluster's: its upstream, its web certificate, its way to start what ends with it. */
  constructor({ tlsEnd, cluster, upstreamPort, keys, region }) {
    this.#options = { tlsEnd, cluster, upstreamPort, keys, region };
    this.name = `chain-${tlsEnd}`;
    this.processes = [tlsEnd, 'sshd', 'ssh', 'signer'];
  }

  async start() {
    const { tlsEnd, cluster, upstreamPort, keys, region } = this.#options;
    const daemon = (name, command, env) => cluster.daemon(this.#daemonName(name), command, env);
    const program = [process.execPath, join(import.meta.dirname, 'signing-proxy.mjs')];
    const signer = daemon('signer', [...program, `https://localhost:${upstreamPort}`, region], keys);
    const signerPort = Number((await signer.says(/listening on (\d+)/))[1]);
    const forwardedPort = await startReverseSsh({ dir: this.#sshDir, daemon, targetPort: signerPort });
    this.port = await tlsEnds[tlsEnd]({
      dir: join(cluster.dir, this.name),
      daemon,
      key: join(cluster.dir, 'web-key.pem'),
      cert: join(cluster.dir, 'web-cert.pem'),
      targetPort: forwardedPort,
    });
  }

  usage() {
    const found = this.#options.cluster.usage(this.processes.map((name) => this.#daemonName(name)));
    return Object.fromEntries(this.processes.map((name) => [name, found[this.#daemonName(name)]]));
  }

  /** The processes end with the cluster's. */
  removeFiles() {
    rmSync(this.#sshDir, { recursive: true, force: true });
  }

  #daemonName(name) {
    return `${this.name}-${name}`;
  }
}
