import { connect, createServer, type Socket } from 'node:net';

export interface Recorder {
  /** On loopback. */
  readonly port: number;
  /** Every byte of both ways, a letter for each; the order of connections is not kept. */
  said(): string;
  close(): void;
}

/** Stands between two processes that speak in the clear, changes nothing, and keeps what they say: what only they two are to know. */
export function recordBetween(farPort: number): Promise<Recorder> {
  const ways: Buffer[][] = [];
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ port: farPort, host: '127.0.0.1', allowHalfOpen: true });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      const kept: Buffer[] = [];
      ways.push(kept);
      open.add(from);
      from.on('data', (piece) => kept.push(piece));
      from.on('error', () => to.destroy()).on('close', () => open.delete(from));
      from.pipe(to);
    }
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve({
        port: typeof address === 'object' && address !== null ? address.port : 0,
        said: () => ways.map((kept) => Buffer.concat(kept).toString('latin1')).join('\n'),
        close: () => {
          for (const socket of open) socket.destroy();
          server.close();
        },
      });
    });
  });
}
