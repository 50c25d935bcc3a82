import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** Something that stands for AWS and misbehaves as told: every byte is the test's own. */
export interface FarSide {
  readonly url: string;
  /** Connections, and what came on each so far. */
  readonly connections: readonly FarConnection[];
  close(): void;
}

export interface FarConnection {
  readonly socket: Socket;
  readonly bytes: () => Buffer;
  readonly text: () => string;
  readonly isClosed: () => boolean;
}

export async function startFarSide(onConnection: (connection: FarConnection) => void = () => undefined): Promise<FarSide> {
  const connections: FarConnection[] = [];
  const server: Server = createServer((socket) => {
    const chunks: Buffer[] = [];
    let closed = false;
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => (closed = true));
    const bytes = () => Buffer.concat(chunks);
    const connection = { socket, bytes, text: () => bytes().toString('latin1'), isClosed: () => closed };
    connections.push(connection);
    onConnection(connection);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    connections,
    close: () => {
      for (const { socket } of connections) socket.destroy();
      server.close();
    },
  };
}

/** A client whose bytes are the test's own. */
export interface RawClient {
  readonly socket: Socket;
  readonly said: () => string;
  readonly isClosed: () => boolean;
  send(bytes: string | Buffer): void;
}

export async function rawClient(port: number): Promise<RawClient> {
  const socket = connect(port, '127.0.0.1');
  let said = '';
  let closed = false;
  socket.on('data', (chunk) => (said += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  socket.on('close', () => (closed = true));
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  return { socket, said: () => said, isClosed: () => closed, send: (bytes) => void socket.write(bytes) };
}

/** A request's head as it stands on the wire. */
export function headOf(method: string, target: string, headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`;
}
