import { PosternError } from '@postern/api';
import type { ProxyLimits } from '#config.ts';
import { openSession, type SessionRouting } from '#routing/open-session.ts';
import { refuse } from '#tcp/alert.ts';
import { alerts } from '#tcp/client-hello.ts';
import { onHandshakeOver } from '#tcp/handshake-over.ts';
import type { Arrival } from '#tcp/public-listener.ts';
import { splice } from '#tcp/splice.ts';
import { TicketLimit } from '#tcp/ticket-limit.ts';

export interface OpenSession {
  readonly clientAddress: string;
  readonly agentId: string;
  /** The other proxy, where the agent is attached to one. */
  readonly proxyId?: string;
}

export interface SessionDoorOptions {
  readonly routing: SessionRouting;
  readonly limits: ProxyLimits;
  readonly onOpened: (session: OpenSession) => void;
  /** With the very object that onOpened was given. */
  readonly onClosed: (session: OpenSession, counts: { readonly bytesIn: number; readonly bytesOut: number }) => void;
  readonly onRefused: (refusal: { readonly clientAddress: string; readonly reason: string; readonly door: 'session' }) => void;
}

/** Joins a ticket's holder to an agent of its resource. What passes is TLS between those two. */
export function sessionDoor(options: SessionDoorOptions): (arrival: Arrival, ticket: string) => Promise<void> {
  const unproven = new TicketLimit(options.limits.unprovenPerTicket);
  return async ({ socket, head, clientAddress, proven }, ticket) => {
    const release = unproven.admit(ticket, {
      address: socket.remoteAddress ?? '',
      nowMs: performance.now(),
      close: () => socket.destroy(),
    });
    if (!release) {
      options.onRefused({ clientAddress, reason: 'too many connections of one ticket are not past their handshake', door: 'session' });
      return void socket.destroy();
    }
    socket.once('close', release);
    const hungUp = new AbortController();
    const abort = () => hungUp.abort();
    socket.once('close', abort);
    try {
      const opened = await openSession(options.routing, { ticket, clientAddress, head, signal: hungUp.signal });
      socket.off('close', abort);
      if (socket.destroyed) return void opened.stream.destroy();
      // The agent knows who it is; from outside all that can be seen is that the agent has gone on.
      onHandshakeOver(socket, opened.stream, () => {
        release();
        proven();
      });
      const { agentId, viaProxyId } = opened;
      const session: OpenSession = { clientAddress, agentId, ...(viaProxyId === undefined ? {} : { proxyId: viaProxyId }) };
      options.onOpened(session);
      splice(socket, opened.stream, {
        idleMs: options.limits.spliceIdleMs,
        onClosed: (counts) => options.onClosed(session, counts),
      });
    } catch (error) {
      if (!(error instanceof PosternError)) throw error;
      options.onRefused({ clientAddress, reason: error.message, door: 'session' });
      refuse(socket, error.code === 'not_found' ? alerts.unrecognizedName : alerts.internalError);
    }
  };
}
