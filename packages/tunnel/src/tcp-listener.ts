import { type AddressInfo, createServer, type ListenOptions, type Server, type ServerOpts, type Socket } from 'node:net';

export interface TcpListenerOptions {
  readonly host: string;
  /** 0 takes one that is free. */
  readonly port: number;
  /** Connections that the kernel keeps until they are accepted. */
  readonly backlog: number;
  readonly sockets?: ServerOpts;
  readonly onConnection: (socket: Socket) => void;
}

export interface TcpListener {
  readonly address: { readonly host: string; readonly port: number };
  /** Takes no more connections; resolves when those that are open have ended. */
  close(): Promise<void>;
}

/**
 * Node accepts one connection of a listening socket in a turn of its event loop (libuv since 1.45), and a turn in which thousands of agents
 * come back has handshakes in it. Whoever comes meanwhile stands behind all of them in the kernel's queue: a person who signs in, for seconds.
 */
const ACCEPTED_IN_TURN = 16;

/**
 * Listens on one port with several sockets, among which the kernel spreads those who come (SO_REUSEPORT): of each one is accepted in a turn.
 * Where the system cannot do that it is a single one. Rejects with EADDRINUSE where somebody else listens there.
 */
export async function listenTcp({ host, port, backlog, sockets, onConnection }: TcpListenerOptions): Promise<TcpListener> {
  const open = (at: ListenOptions) => listen(createServer(sockets ?? {}, onConnection), at);
  // Sockets that share a port share it with any other process of the same user, also with a second one of these. So it is first held alone.
  const alone = await open({ host, port, backlog });
  const address = addressOf(alone);
  // Its port is free at once; whoever it has taken in this moment stays.
  const first = close(alone);
  const share = { ...address, backlog: Math.ceil(backlog / ACCEPTED_IN_TURN), reusePort: true };
  const servers: Server[] = [];
  try {
    while (servers.length < ACCEPTED_IN_TURN) servers.push(await open(share));
  } catch (error) {
    await Promise.all(servers.map(close));
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOTSUP')) throw error;
    servers.splice(0, servers.length, await open({ ...address, backlog }));
  }
  return { address, close: async () => void (await Promise.all([first, ...servers.map(close)])) };
}

function listen(server: Server, at: ListenOptions): Promise<Server> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(at, () => {
      // Later ones are of a connection that could not be accepted, which its client hears of.
      server.off('error', reject).on('error', () => undefined);
      resolve(server);
    });
  });
}

function addressOf(server: Server): { host: string; port: number } {
  const { address, port } = server.address() as AddressInfo;
  return { host: address, port };
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
