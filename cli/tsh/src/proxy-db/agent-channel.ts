import { createSecureContext, type PeerCertificate } from 'node:tls';
import { Client, connectivityState, credentials, Metadata } from '@grpc/grpc-js';
import { AgentSession, Identity_Kind, openDuplex, PosternError } from '@postern/api';
import { clientContextOptions, serverIdentityCheck } from '@postern/pki';
import { type ByteStream, byteStream, wideChannelOptions } from '@postern/tunnel';
import type { SessionGrant } from '#databases/session-grant.ts';

export interface AgentChannelOptions {
  readonly proxy: string;
  readonly cluster: string;
  readonly grant: SessionGrant;
  readonly localPort: number;
}

/** One TLS session from here to an agent; the proxy between sees records. Each local connection is a stream in it. */
export class AgentChannel {
  readonly grant: SessionGrant;
  readonly #client: Client;
  readonly #metadata = new Metadata();
  #refusal: Error | undefined;
  #streams = 0;
  #retired = false;

  constructor({ proxy, cluster, grant, localPort }: AgentChannelOptions) {
    this.grant = grant;
    this.#metadata.set('postern-local-port', String(localPort));
    const { certificatePem, privateKeyPem, hostCaPems, agentIds } = grant;
    const context = createSecureContext(clientContextOptions(hostCaPems, { certificatePem, privateKeyPem }));
    const check = serverIdentityCheck({ cluster, hostCaPems, kinds: [Identity_Kind.DB_AGENT], names: agentIds, nowMs: Date.now });
    // grpc-js tries again on its own and forgets why: the reason is kept for the person who waits.
    const checkServerIdentity = (host: string, peer: PeerCertificate): Error | undefined => {
      this.#refusal = check(host, peer);
      return this.#refusal;
    };
    const serverName = `${grant.ticket}.session.postern.internal`;
    this.#client = new Client(proxy, credentials.createFromSecureContext(context, { checkServerIdentity }), {
      ...wideChannelOptions(),
      'grpc.ssl_target_name_override': serverName,
      'grpc.default_authority': serverName,
    });
  }

  get ready(): boolean {
    return this.#client.getChannel().getConnectivityState(false) === connectivityState.READY;
  }

  get streams(): number {
    return this.#streams;
  }

  /** Rejects as soon as one attempt has failed: whether to try again, and with which ticket, is for the caller to say. */
  connect(timeoutMs: number): Promise<void> {
    const channel = this.#client.getChannel();
    const deadline = Date.now() + timeoutMs;
    return new Promise((resolve, reject) => {
      const look = () => {
        const state = channel.getConnectivityState(true);
        if (state === connectivityState.READY) return resolve();
        if (state === connectivityState.TRANSIENT_FAILURE || state === connectivityState.SHUTDOWN) return reject(this.#unreachable());
        channel.watchConnectivityState(state, deadline, (late) => (late ? reject(this.#unreachable()) : look()));
      };
      look();
    });
  }

  openStream(): ByteStream {
    const stream = byteStream(openDuplex(this.#client, AgentSession.connect, { metadata: this.#metadata.clone() }));
    this.#streams += 1;
    stream.once('close', () => {
      this.#streams -= 1;
      this.#closeWhenDone();
    });
    return stream;
  }

  /** No new streams; those that are open finish, and the last one closes the connection. */
  retire(): void {
    this.#retired = true;
    this.#closeWhenDone();
  }

  close(): void {
    this.#client.close();
  }

  #closeWhenDone(): void {
    if (this.#retired && this.#streams === 0) this.#client.close();
  }

  #unreachable(): PosternError {
    const reason = this.#refusal === undefined ? 'no agent answers' : `what answered is not one of its agents: ${this.#refusal.message}`;
    return new PosternError('unavailable', `cannot reach database "${this.grant.name}": ${reason}`, { cause: this.#refusal });
  }
}
