import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { connect as connectTls, createSecureContext, TLSSocket } from 'node:tls';
import { Identity_Kind } from '@postern/api';
import { expect } from 'vitest';
import type { RunningProxy } from '#index.ts';
import { dial, type TestCluster, type TestIdentity } from '#testing/test-cluster.ts';

export const addressOf = (proxy: RunningProxy) => `127.0.0.1:${proxy.address.port}`;
export const ready = (proxy: RunningProxy) => expect.poll(() => proxy.ready(), { timeout: 5000 }).toEqual({ ok: true });
/** The far end of a session: TLS ends at the agent, and what comes goes back. */
export function agentTls(identity: TestIdentity, onSocket: (socket: TLSSocket) => void): (stream: Duplex) => void {
  const secureContext = createSecureContext({ cert: identity.certificatePem, key: identity.privateKeyPem });
  return (stream) => {
    stream.on('error', () => undefined);
    const socket = new TLSSocket(stream, { isServer: true, secureContext });
    socket.on('error', () => socket.destroy());
    onSocket(socket);
  };
}
export const echo = (socket: TLSSocket) => void socket.pipe(socket);
export async function echoAgent(cluster: TestCluster, proxies: readonly string[], onSocket: (socket: TLSSocket) => void = echo) {
  const identity = await cluster.identity(Identity_Kind.DB_AGENT);
  return cluster.agent(proxies, { identity, onConnection: agentTls(identity, onSocket) });
}
export const openSession = (proxy: RunningProxy, ticket: string) =>
  connectTls({ socket: dial(proxy), servername: `${ticket}.session.postern.internal`, rejectUnauthorized: false });
/** What the proxy answered before it closed, as raw bytes. */
export async function rawAnswer(proxy: RunningProxy, bytes: Buffer): Promise<Buffer> {
  const socket = dial(proxy);
  const parts: Buffer[] = [];
  socket.on('data', (part: Buffer) => parts.push(part));
  socket.write(bytes);
  await once(socket, 'close');
  return Buffer.concat(parts);
}
export const attachedTo = async (cluster: TestCluster, proxy: RunningProxy, name: string) => {
  await ready(proxy);
  await expect
    .poll(
      async () => {
        const socket = openSession(proxy, cluster.ticket(name));
        const [outcome] = await Promise.race([
          once(socket, 'secureConnect').then(() => ['up']),
          once(socket, 'error').then(() => ['down']),
        ]);
        socket.destroy();
        return outcome;
      },
      { timeout: 8000 },
    )
    .toBe('up');
};
