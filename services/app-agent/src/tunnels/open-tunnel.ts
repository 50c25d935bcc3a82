import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  errorCodeOf,
  type LiveSession,
  Permit,
  type Refused,
  type SessionConnection,
  type SessionPlaces,
  type UserShares,
} from '@postern/agent';
import { PosternError, type ErrorCode } from '@postern/api';
import { type AwsTunnel, awsTunnel } from '@postern/aws';
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
  const permit = new Permit(() => refusedNow(deps, session, tunnel));
  const early = permit.refusal();
  if (early) return refuse(early.reason, early.role, errorCodeOf(early));

  const { user } = session;
  const busy = deps.shares.enter(user, tunnel.host);
  if (busy !== undefined) return refuse(busy, undefined, 'unavailable');
  session.enter(permit);
  permit.onCut((why) => stream.destroy(new PosternError(errorCodeOf(why), why.reason)));
  const leave = () => {
    session.leave(permit);
    deps.shares.leave(user, tunnel.host);
  };
  deps.records.begin(facts, (record) => {
    if (record === undefined) {
      leave();
      return void stream.destroy(new PosternError('unavailable', 'audit unavailable: this agent cannot record the tunnel'));
    }
    const end: typeof record = (carried, error) => {
      leave();
      record(carried, permit.ended?.reason ?? error);
    };
    // While the disk worked. Its 'close' has been: nothing would ever end what is dialled for it now.
    permit.review();
    if (stream.destroyed) return end({ sent: 0, received: 0 }, 'the client left');
    let socket: Socket;
    try {
      socket = dial(deps, tunnel.host);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      end({ sent: 0, received: 0 }, reason);
      return void stream.destroy(new PosternError('unavailable', `${tunnel.host} cannot be reached`));
    }
    // Before what waits for the connection is written to it.
    socket.once('connect', () => permit.review());
    carry(stream, socket, (failure) => {
      const isConnected = socket.remoteAddress !== undefined || socket.bytesRead > 0;
      end({ sent: socket.bytesWritten, received: socket.bytesRead }, isConnected ? undefined : failure);
    });
  });
}

/** From the view as it is now. */
function refusedNow({ places }: OpenTunnelDeps, session: LiveSession, tunnel: AwsTunnel): Refused | undefined {
  const because = (reason: string): Refused => ({ allowed: false, cause: 'identity', reason });
  const place = places.of(session);
  if ('reason' in place) return because(place.reason);
  const verdict = session.facts.standing.authorize(place.asked);
  if (!verdict.allowed) return verdict;
  const { partition } = place.application;
  if (tunnel.partition === partition) return undefined;
  return because(`${tunnel.host} is in partition ${tunnel.partition}, the application in ${partition}`);
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
