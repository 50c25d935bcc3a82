import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { PosternError } from '@postern/api';
import type { ProxyLimits } from '#config.ts';
import { AddressLimit, type Admission } from '#tcp/address-limit.ts';
import { refuse } from '#tcp/alert.ts';
import { alerts } from '#tcp/client-hello.ts';
import { type Door, doorOf } from '#tcp/doors.ts';
import { peekClientHello } from '#tcp/peek.ts';

/** A connection whose ClientHello has been read: `head` is that ClientHello, and nothing more was taken from the socket. */
export interface Arrival {
  readonly socket: Socket;
  readonly head: Buffer;
  /** host:port of the socket's peer. */
  readonly clientAddress: string;
  /** Takes it out of the count of unproven connections of its address. */
  readonly proven: () => void;
}

export interface Doors {
  readonly session: (arrival: Arrival, ticket: string) => Promise<void>;
  readonly auth: (arrival: Arrival) => Promise<void>;
  readonly tunnel: (arrival: Arrival) => void;
  /** False where it is not a line that was asked for. */
  readonly line: (socket: Socket, name: string) => boolean;
  readonly web: (arrival: Arrival) => void;
}

export interface PublicListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly limits: ProxyLimits;
  readonly doors: Doors;
  readonly onRefused: (refusal: { readonly clientAddress: string; readonly reason: string; readonly door?: Door['kind'] }) => void;
  readonly onError: (error: unknown) => void;
}

export interface PublicListener {
  readonly address: { readonly host: string; readonly port: number };
  readonly openSockets: number;
  /** Takes no more connections; those that are open go on. */
  close(): void;
  destroyAll(): void;
}

/** The one public port. Reads the ClientHello of each connection, without ending TLS, and hands it to a door. */
export async function listenPublicly(options: PublicListenerOptions): Promise<PublicListener> {
  const { limits } = options;
  const silent = new AddressLimit(limits.socketsPerAddress);
  // Each door counts for itself: agents that all come back at once must not keep a person behind the same address from signing in.
  const unproven = mapDoors(() => new AddressLimit(limits.socketsPerAddress));
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 }, (socket) => {
    const ip = socket.remoteAddress;
    // A connection that was reset while it waited to be accepted has no address any more.
    if (ip === undefined) return void socket.destroy();
    const clientAddress = `${ip.includes(':') ? `[${ip}]` : ip}:${socket.remotePort ?? 0}`;
    const admission = silent.admit(ip, { nowMs: performance.now(), close: () => socket.destroy() });
    if (!admission) {
      options.onRefused({ clientAddress, reason: 'too many connections of one address' });
      return void socket.destroy();
    }
    open.add(socket);
    socket.once('close', () => {
      open.delete(socket);
      admission.release();
    });
    socket.on('error', () => socket.destroy());
    const atDoor = (door: Door) => {
      admission.release();
      const next = unproven[door.kind].admit(ip, { nowMs: performance.now(), close: () => socket.destroy() });
      next?.greeted();
      if (next) socket.once('close', next.release);
      return next;
    };
    route({ socket, clientAddress }, { ...options, atDoor, isKnown: admission.release }).catch((error: unknown) => {
      if (!(error instanceof PosternError)) options.onError(error);
      socket.destroy();
    });
  });
  server.maxConnections = limits.sockets;
  const address = await listen(server, options);
  return {
    address,
    get openSockets() {
      return open.size;
    },
    close: () => void server.close(),
    destroyAll: () => {
      for (const socket of open) socket.destroy();
    },
  };
}

interface Route extends PublicListenerOptions {
  /** Counts the connection at its door; undefined where it is one too many there. */
  readonly atDoor: (door: Door) => Admission | undefined;
  /** It is nobody's to count. */
  readonly isKnown: () => void;
}

async function route(arriving: Omit<Arrival, 'head' | 'proven'>, options: Route): Promise<void> {
  const { socket, clientAddress } = arriving;
  const peeked = await peekClientHello(socket, { maxBytes: options.limits.peekBytes, timeoutMs: options.limits.peekMs });
  if (peeked.kind === 'gone') return void socket.destroy();
  if (peeked.kind === 'malformed') {
    options.onRefused({ clientAddress, reason: peeked.reason });
    return refuse(socket, peeked.alert);
  }
  if (socket.destroyed) return;
  const door = doorOf(peeked.serverName);
  // One that was asked for has proven it, and strangers of the same address are not to stand in its way.
  if (door.kind === 'line' && options.doors.line(socket, door.name)) return options.isKnown();
  const admission = options.atDoor(door);
  if (!admission) {
    options.onRefused({ clientAddress, reason: 'too many connections of one address', door: door.kind });
    return void socket.destroy();
  }
  const arrival: Arrival = { ...arriving, head: peeked.bytes, proven: admission.release };
  switch (door.kind) {
    case 'session':
      return options.doors.session(arrival, door.ticket);
    case 'auth':
      return options.doors.auth(arrival);
    case 'tunnel':
      if (peeked.alpnProtocols.includes('h2')) return options.doors.tunnel(arrival);
      options.onRefused({ clientAddress, reason: 'the tunnel speaks h2 alone', door: 'tunnel' });
      return refuse(socket, alerts.noApplicationProtocol);
    case 'line':
      options.onRefused({ clientAddress, reason: 'nobody asked for this line, or it comes too late', door: 'line' });
      return refuse(socket, alerts.unrecognizedName);
    case 'web':
      return options.doors.web(arrival);
  }
}

function mapDoors<T>(make: () => T): Record<Door['kind'], T> {
  return { session: make(), auth: make(), tunnel: make(), line: make(), web: make() };
}

function listen(server: Server, at: PublicListenerOptions): Promise<{ host: string; port: number }> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: at.host, port: at.port, backlog: at.limits.listenBacklog }, () => {
      server.off('error', reject);
      server.on('error', () => undefined);
      const { address, port } = server.address() as AddressInfo;
      resolve({ host: address, port });
    });
  });
}
