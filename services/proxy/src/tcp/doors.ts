import { lineNameOf } from '@postern/tunnel';

/** Where a connection goes, by the server name that its ClientHello asks for; architecture.md has the same table. */
export type Door =
  | { readonly kind: 'session'; readonly ticket: string }
  | { readonly kind: 'auth' }
  | { readonly kind: 'tunnel' }
  | { readonly kind: 'line'; readonly name: string }
  | { readonly kind: 'web' };

export const AUTH_SERVER_NAME = 'auth.postern.internal';
export const TUNNEL_SERVER_NAME = 'tunnel.postern.internal';
export const SESSION_SUFFIX = '.session.postern.internal';

/** A name under the session suffix that holds no ticket is a forged one, not a web page. */
export function doorOf(serverName: string | undefined): Door {
  if (serverName === undefined) return { kind: 'web' };
  if (serverName.endsWith(SESSION_SUFFIX)) return { kind: 'session', ticket: serverName.slice(0, -SESSION_SUFFIX.length) };
  if (serverName === AUTH_SERVER_NAME) return { kind: 'auth' };
  if (serverName === TUNNEL_SERVER_NAME) return { kind: 'tunnel' };
  const name = lineNameOf(serverName);
  if (name !== undefined) return { kind: 'line', name };
  return { kind: 'web' };
}
