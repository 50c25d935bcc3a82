import { createServer, isIP, type Server, type Socket } from 'node:net';
import { PosternError } from '@postern/api/errors';
import { UsageError } from '@postern/terminal/usage-error';

export interface LocalAddress {
  readonly hosts: readonly string[];
  readonly port: number;
}
export interface LocalListener {
  readonly host: string;
  readonly port: number;
  close(): void;
}

/** More than any SDK's pool; each idle one costs a stream of the session. */
const MAX_CONNECTIONS = 512;
const LOOPBACK = ['127.0.0.1', '::1'];
const PORT_ATTEMPTS = 5;

/** --listen and --port as the addresses to bind: loopback unless the flag with the long name is given. */
export function localAddress(options: { readonly listen?: string; readonly port?: number; readonly anywhere: boolean }): LocalAddress {
  if (options.listen === undefined) return { hosts: LOOPBACK, port: options.port ?? 0 };
  if (options.port !== undefined) throw new UsageError('--port and --listen exclude each other: --listen names the port too');
  const [, written, port] = /^(\[[^\]]+\]|[^:]*):(\d{1,5})$/.exec(options.listen) ?? [];
  const host = written?.replace(/^\[|\]$/g, '');
  if (host === undefined || Number(port) > 65_535) throw new UsageError(`--listen: "${options.listen}" is not host:port`);
  if (host === '' || host === 'localhost') return { hosts: LOOPBACK, port: Number(port) };
  const loopback = host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
  if (!loopback && !options.anywhere) {
    throw new UsageError(
      `--listen: ${host} can be reached from other machines, and whoever reaches it uses your access: add --insecure-listen-anywhere if that is wanted`,
    );
  }
  return { hosts: [host], port: Number(port) };
}

/**
 * Both loopback addresses are taken, so that no other program can answer for `localhost` on the one left free.
 * A machine without IPv6 has only the first.
 */
export async function listenLocally(address: LocalAddress, accept: (socket: Socket, port: number) => void): Promise<LocalListener> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await bindAll(address, accept);
    } catch (error) {
      const busy = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
      if (!busy || address.port !== 0 || attempt === PORT_ATTEMPTS) throw explained(error, address);
    }
  }
}

async function bindAll(address: LocalAddress, accept: (socket: Socket, port: number) => void): Promise<LocalListener> {
  const servers: Server[] = [];
  let port = address.port;
  const close = () => servers.forEach((server) => server.close());
  try {
    for (const host of address.hosts) {
      const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => accept(socket, port));
      server.maxConnections = MAX_CONNECTIONS;
      if (!(await bind(server, host, port, servers.length > 0))) continue;
      servers.push(server);
      const bound = server.address();
      if (typeof bound === 'object' && bound !== null) port = bound.port;
    }
  } catch (error) {
    close();
    throw error;
  }
  return { host: address.hosts[0] ?? '127.0.0.1', port, close };
}

/** False where the address does not exist on this machine and need not. */
function bind(server: Server, host: string, port: number, mayBeAbsent: boolean): Promise<boolean> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const absent = error.code === 'EADDRNOTAVAIL' || error.code === 'EAFNOSUPPORT';
      if (absent && mayBeAbsent) resolve(false);
      else reject(error);
    });
    server.listen({ host, port }, () => resolve(true));
  });
}

function explained(error: unknown, { hosts, port }: LocalAddress): PosternError {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE')
    return new PosternError('already_exists', `port ${port} is in use by another program: choose another with --port`, { cause: error });
  if (code === 'EACCES')
    return new PosternError('denied', `port ${port} may not be opened by this user: choose one above 1023 with --port`, { cause: error });
  return new PosternError('bad_request', `cannot listen on ${hosts.join(', ')} port ${port}: ${code ?? String(error)}`, { cause: error });
}
