import type { Socket } from 'node:net';

type Done = (error?: Error | null) => void;

/**
 * A server may refuse in the middle of an upload and hang up, as S3 does with 503 SlowDown. Whoever is still writing is told EPIPE or ECONNRESET
 * then, and a stream that failed gives no more to read: the answer would be lost in it. So a write fails a turn of the loop later, when all
 * that has come has been read.
 */
export function hearOut(socket: Socket): void {
  const write = socket._write.bind(socket);
  socket._write = (chunk, encoding, done: Done) => write(chunk, encoding, later(done));
  const writev = socket._writev?.bind(socket);
  if (writev !== undefined) socket._writev = (chunks, done: Done) => writev(chunks, later(done));
}

/** The first of the two turns may be over before the loop looks at its sockets. */
const later = (done: Done) => (error?: Error | null) => {
  if (error === null || error === undefined) done(error);
  else setImmediate(() => setImmediate(() => done(error)));
};
