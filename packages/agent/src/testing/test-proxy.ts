import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Caller, Identity_Kind, implement, type CallOrigin, services } from '@postern/api';
import { serverTlsOptions, verifyPeer } from '@postern/pki';
import { createGrpcTlsServer, peerOf, ReverseTunnelServer } from '@postern/tunnel';
import type { TestCluster } from '#testing/test-cluster.ts';

export interface TestProxy {
  readonly address: string;
  /** A stream to an attached agent, as the proxy opens it for a client with a ticket. */
  dial(agentId: string, resourceId: Buffer): Promise<Duplex>;
  stop(): Promise<void>;
}

/** The part of a proxy that agents attach to, with real certificates and the real tunnel. */
export async function startTestProxy(cluster: TestCluster): Promise<TestProxy> {
  const tunnels = new ReverseTunnelServer({ proxyId: 'proxy-1', version: '0.1.0' });
  const verify = (certificateDer: Buffer) =>
    verifyPeer({
      certificateDer,
      cluster: cluster.name,
      kinds: [Identity_Kind.DB_AGENT],
      hostCaPems: [cluster.host.certificatePem],
      userCaPems: [],
      nowMs: Date.now(),
    });
  const identify = (call: CallOrigin): Caller => {
    const { certificateDer, remoteAddress } = peerOf(call);
    if (!certificateDer) return { kind: 'anonymous', address: remoteAddress };
    return { kind: 'identified', ...verify(certificateDer), address: remoteAddress };
  };
  const server = createGrpcTlsServer({
    tls: serverTlsOptions({
      identity: await cluster.proxy(),
      clientCas: [cluster.host.certificatePem],
      requestCert: true,
      rejectUnauthorized: true,
    }),
    services: [implement(services.reverseTunnel, tunnels.handlers, { identify, nowMs: Date.now, onUnexpected: () => undefined })],
    admit: (connection) =>
      connection.certificateDer !== undefined && tunnels.admit(verify(connection.certificateDer).identity.name, connection),
  });
  const sockets = new Set<Socket>();
  const listener = createServer((socket) => {
    sockets.add(socket);
    server.acceptSocket(socket, { remoteAddress: '127.0.0.1:1' });
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(listener.address() as AddressInfo).port}`,
    dial: (agentId, resourceId) => tunnels.dial({ agentId, resourceId, clientAddress: '198.51.100.7:5000' }),
    async stop() {
      tunnels.stop();
      listener.close();
      await server.stop();
      for (const socket of sockets) socket.destroy();
    },
  };
}
