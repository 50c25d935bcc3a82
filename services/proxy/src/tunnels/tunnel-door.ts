import type { X509Certificate } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { TlsOptions } from 'node:tls';
import { type Caller, Identity_Kind, implement, PosternError, type CallOrigin, services } from '@postern/api';
import { PkiError, serverTlsOptions, verifyPeer } from '@postern/pki';
import { createGrpcTlsServer, type GrpcTlsServer, type Origin, peerOf, type ReverseTunnelServer, tunnelLimits } from '@postern/tunnel';
import type { Member } from '#outbound/cluster.ts';

export interface TunnelDoorOptions {
  readonly member: Member;
  readonly tunnels: ReverseTunnelServer;
  readonly isLocked: (hostId: string) => boolean;
  readonly nowMs: () => number;
  readonly onRefused: (refusal: { readonly clientAddress: string; readonly reason: string }) => void;
  readonly onError: (error: unknown, method: string) => void;
}

export interface TunnelDoor {
  readonly handshakes: { readonly running: number; readonly waiting: number };
  accept(socket: Duplex, from: Origin): void;
  stop(options: { readonly graceMs: number }): Promise<void>;
}

const kinds = [Identity_Kind.DB_AGENT, Identity_Kind.APP_AGENT, Identity_Kind.PROXY];
/** setTimeout's own limit; a certificate lasts a day. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Ends TLS of agents that attach and of proxies that ask for one, with this proxy's host certificate. Nobody passes without a host certificate of this cluster that is in force. */
export function createTunnelDoor(options: TunnelDoorOptions): TunnelDoor {
  const { member, tunnels, nowMs } = options;
  const verify = (certificateDer: Buffer, certificate?: X509Certificate) => {
    const { hostCaPems } = member.current();
    return verifyPeer({ certificateDer, certificate, cluster: member.cluster, kinds, hostCaPems, userCaPems: [], nowMs: nowMs() });
  };
  const identify = (call: CallOrigin): Caller => {
    const { certificateDer, remoteAddress } = peerOf(call);
    if (!certificateDer) return { kind: 'anonymous', address: remoteAddress };
    const { identity, serial, notAfterMs } = verify(certificateDer);
    if (options.isLocked(identity.name)) throw new PosternError('locked', `host ${identity.name} is locked`);
    return { kind: 'identified', identity, serial, notAfterMs, address: remoteAddress };
  };
  const served = implement(services.reverseTunnel, tunnels.handlers, {
    identify,
    nowMs,
    onUnexpected: options.onError,
    onRefused: ({ caller, reason }) => options.onRefused({ clientAddress: caller?.address ?? 'unknown', reason }),
  });
  const server: GrpcTlsServer = createGrpcTlsServer({
    tls: tlsOf(member),
    services: [served],
    // A session is a stream here; elsewhere a connection holds the streams of one client.
    grpcOptions: { 'grpc.max_concurrent_streams': tunnelLimits.streamsPerTunnelConnection },
    // Agents send PINGs; this is for who never attaches.
    keepalive: { everyMs: () => tunnelLimits.keepaliveOfWatchedMs + tunnels.quietMs, timeoutMs: tunnelLimits.keepaliveTimeoutMs },
    resets: tunnels.resets,
    handshakes: { atOnce: tunnelLimits.handshakesAtOnce, waitMs: tunnelLimits.handshakeTurnMs, inOrder: true },
    onHandshakeFailed: (error, clientAddress) => options.onRefused({ clientAddress, reason: error.message }),
    admit(connection, certificate) {
      const refuse = (reason: string) => {
        options.onRefused({ clientAddress: connection.remoteAddress, reason });
        return false;
      };
      try {
        if (!connection.certificateDer) return refuse('no certificate');
        const { identity, notAfterMs } = verify(connection.certificateDer, certificate);
        if (options.isLocked(identity.name)) return refuse(`host ${identity.name} is locked`);
        if (!tunnels.admit(identity.name, connection)) return refuse(`host ${identity.name} has too many connections`);
        // Streams end at expiry one by one; what is left of the connection ends here.
        const expiry = setTimeout(connection.destroy, Math.min(Math.max(notAfterMs - nowMs(), 0) + 1_000, MAX_TIMER_MS));
        expiry.unref();
        connection.onClose(() => clearTimeout(expiry));
        return true;
      } catch (error) {
        if (error instanceof PkiError) return refuse(error.message);
        throw error;
      }
    },
  });
  member.onRenewed(() => server.setTls(tlsOf(member)));
  return {
    handshakes: server.handshakes,
    accept: (socket, from) => server.acceptSocket(socket, from),
    stop: ({ graceMs }) => server.stop({ graceMs }),
  };
}

function tlsOf(member: Member): TlsOptions {
  const identity = member.current();
  return serverTlsOptions({ identity, clientCas: identity.hostCaPems, requestCert: true, rejectUnauthorized: true });
}
