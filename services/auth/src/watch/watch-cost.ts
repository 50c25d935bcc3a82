/** What a watcher that comes back takes of the processors of auth and of the proxy between: a handshake, and the state anew. */
export const WATCH_MS = 6;
