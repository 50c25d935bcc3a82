import type { Duplex } from 'node:stream';
import type { AlertDescription } from '#tcp/client-hello.ts';

const ALERT_RECORD = 21;
const FATAL = 2;
const LINGER_MS = 1_000;

/** Tells a TLS client why, in the words of its own protocol, and closes. */
export function refuse(socket: Duplex, description: AlertDescription): void {
  socket.on('error', () => socket.destroy());
  socket.end(Buffer.from([ALERT_RECORD, 3, 3, 0, 2, FATAL, description]));
  // What the client still sends is thrown away: closing with unread bytes would reset the connection before the alert is read.
  socket.resume();
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}
