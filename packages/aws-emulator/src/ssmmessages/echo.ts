import { type Server, createServer } from 'node:net';

/** A port that gives back every byte it gets: the far end of a tunnel that nobody on the way looks into. Loopback only. */
export async function startEcho(port = 0): Promise<{ readonly port: number; close(): Promise<void> }> {
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    socket.pipe(socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    close: () => new Promise((resolve) => void server.close(() => resolve())),
  };
}
