import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SessionConnection, SessionPlaces, UserShares } from '@postern/agent';
import { PosternError, type ErrorCode } from '@postern/api';
import { awsTunnel } from '@postern/aws';
import { guardedLookup, type Resolve } from '@postern/http';
import type { Application } from '#apps/application.ts';
import type { TunnelRecords } from '#audit/tunnel-records.ts';
import type { SessionPlace } from '#requests/session-place.ts';

export interface OpenTunnelDeps {
  readonly places: SessionPlaces<Application, SessionPlace>;
  readonly records: TunnelRecords;
  /** A tunnel counts as a request does: each is a socket. */
  readonly shares: UserShares;
  /** The URL that the operator's AWS_ENDPOINT_URL_SSMMESSAGES gives, or https:// and the host. */
  readonly dialUrl: (host: string) => URL;
  readonly resolve?: Resolve;
}

const CONNECT_MS = 10_000;
const TCP_KEEP_ALIVE_MS = 60_000;

/**
 * Carries a TLS connection of the client's own to a host of Session Manager, after the same decision as a request's. The bytes are not
 * ours to read: the token within was given out by a StartSession that was signed, decided and recorded.
 */
export function openTunnel(deps: OpenTunnelDeps, { session, stream, tunnelHost = '' }: SessionConnection): void {
  const tunnel = awsTunnel(tunnelHost);
  const place = deps.places.of(session);
  const facts = { session, place: 'reason' in place ? undefined : place, host: tunnel?.host ?? tunnelHost };
  const refuse = (reason: string, role?: string, code: ErrorCode = 'denied') => {
    deps.records.refused(facts, reason, role);
    stream.destroy(new PosternError(code, reason));
  };
  if (tunnel === undefined) return refuse(`${JSON.stringify(tunnelHost.slice(0, 100))} is not a host whose bytes pass untouched`);
  if ('reason' in place) return refuse(place.reason);
  const verdict = session.facts.standing.authorize(place.asked);
  if (!verdict.allowed) return refuse(verdict.reason, verdict.role);
  if (tunnel.partition !== place.application.partition)
    return refuse(`${tunnel.host} is in partition ${tunnel.partition}, the application in ${place.application.partition}`);

  const { user } = session;
  const busy = deps.shares.enter(user, tunnel.host);
  if (busy !== undefined) return refuse(busy, undefined, 'unavailable');
  deps.records.begin(facts, (record) => {
    if (record === undefined) {
      deps.shares.leave(user, tunnel.host);
      return void stream.destroy(new PosternError('unavailable', 'audit unavailable: this agent cannot record the tunnel'));
    }
    const end: typeof record = (carried, error) => {
      deps.shares.leave(user, tunnel.host);
      record(carried, error);
    };
    // While the disk worked. Its 'close' has been: nothing would ever end what is dialled for it now.
    if (stream.destroyed) return end({ sent: 0, received: 0 }, 'the client left');
    let socket: Socket;
    try {
      socket = dial(deps, tunnel.host);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      end({ sent: 0, received: 0 }, reason);
      return void stream.destroy(new PosternError('unavailable', `${tunnel.host} cannot be reached`));
    }
    carry(stream, socket, (failure) => {
      const isConnected = socket.remoteAddress !== undefined || socket.bytesRead > 0;
      end({ sent: socket.bytesWritten, received: socket.bytesRead }, isConnected ? undefined : failure);
    });
  });
}

function dial({ dialUrl, resolve }: OpenTunnelDeps, host: string): Socket {
  const url = dialUrl(host);
  // An operator may mean this machine; the tables never do.
  const isGuarded = url.hostname === host;
  return connect({
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? 443 : Number(url.port),
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
    allowHalfOpen: true,
    ...(isGuarded ? { lookup: guardedLookup(resolve) } : {}),
  });
}

/** Bytes both ways, each side held back by the other; the end of one end is the end of the other. */
function carry(stream: Duplex, socket: Socket, onClosed: (failure: string) => void): void {
  let failure = 'no connection in time';
  const connecting = setTimeout(() => socket.destroy(), CONNECT_MS);
  socket.once('connect', () => clearTimeout(connecting));
  socket.on('error', (error) => (failure = error.message));
  socket.once('close', () => {
    clearTimeout(connecting);
    onClosed(failure);
    if (!stream.destroyed) stream.destroy();
  });
  stream.on('error', () => stream.destroy());
  stream.once('close', () => socket.destroy());
  stream.pipe(socket);
  socket.pipe(stream);
}
