import type { Duplex } from 'node:stream';
import type { AlertDescription } from '#tcp/client-hello.ts';

const ALERT_RECORD = 21;
const FATAL = 2;
const LINGER_MS = 1_000;

/** Says it and no more: for whoever closes by himself. */
export function sayAlert(socket: Duplex, description: AlertDescription): void {
  socket.write(Buffer.from([ALERT_RECORD, 3, 3, 0, 2, FATAL, description]));
}

/** Tells a TLS client why, in the words of its own protocol, and closes. */
export function refuse(socket: Duplex, description: AlertDescription): void {
  socket.on('error', () => socket.destroy());
  sayAlert(socket, description);
  socket.end();
  // What the client still sends is thrown away: closing with unread bytes would reset the connection before the alert is read.
  socket.resume();
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}
