import { proxyHeader } from '@postern/pki';
import type { ProxyLimits } from '#config.ts';
import { refuse, sayAlert } from '#tcp/alert.ts';
import { AuthIsSilent, type AuthPulse } from '#tcp/auth-pulse.ts';
import { alerts } from '#tcp/client-hello.ts';
import { dialAuth } from '#tcp/dial-auth.ts';
import { onHandshakeOver } from '#tcp/handshake-over.ts';
import type { Arrival } from '#tcp/public-listener.ts';
import { splice } from '#tcp/splice.ts';

const AUTH_LINGER_MS = 5_000;

export interface AuthDoorOptions {
  /** From the configuration; never from what a client sends. */
  readonly authAddress: { readonly host: string; readonly port: number };
  readonly signingKey: () => Buffer | undefined;
  readonly limits: ProxyLimits;
  readonly pulse: AuthPulse;
  readonly onRefused: (refusal: { readonly clientAddress: string; readonly reason: string; readonly door: 'auth' }) => void;
}

/** Joins a client to auth. The client's address goes ahead in a PROXY v2 header that only holders of a route key can make. */
export function authDoor(options: AuthDoorOptions): (arrival: Arrival) => Promise<void> {
  const heard = () => options.pulse.heard();
  return async ({ socket, head, clientAddress, proven }) => {
    const { authAddress, limits, pulse } = options;
    const auth = await dialAuth({ authAddress, connectAuthMs: limits.connectAuthMs, pulse }).catch(() => undefined);
    if (socket.destroyed) return void auth?.destroy();
    if (!auth) {
      options.onRefused({ clientAddress, reason: 'auth cannot be reached', door: 'auth' });
      return refuse(socket, alerts.internalError);
    }
    // Not a byte of auth has passed: the alert is the first that the client hears. What joins the two closes both right after.
    const onSilent = (error: Error) => {
      if (!(error instanceof AuthIsSilent)) return;
      options.onRefused({ clientAddress, reason: error.message, door: 'auth' });
      sayAlert(socket, alerts.internalError);
    };
    auth.on('error', onSilent).on('data', heard);
    const key = options.signingKey();
    // Without a key, before the first answer of auth, the address counts as this proxy's own.
    if (key) auth.write(proxyHeader({ clientAddress: socket.remoteAddress ?? '', clientPort: socket.remotePort ?? 0, key }));
    auth.write(head);
    // Auth has its own limit for callers without a certificate: who is past the handshake is an agent, a proxy or a person, and
    // many of them may stand behind one address. A thousand agents that come back together must not drive each other out.
    onHandshakeOver(socket, auth, () => {
      // From here on there is nothing to tell, and thousands of agents stay.
      auth.off('error', onSilent);
      proven();
    });
    // Auth gives up a host that vanished, whose half is then never closed; of what auth says last nothing is large.
    splice(socket, auth, { idleMs: limits.spliceIdleMs, lingerMs: AUTH_LINGER_MS });
  };
}
