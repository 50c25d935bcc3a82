import type { FastifyRequest } from 'fastify';
import type { TLSSocket } from 'node:tls';

/** Whose page a request is for, by its Host and by the server name of its TLS. */
export type AskedHost = { readonly kind: 'own' } | { readonly kind: 'app'; readonly app: string } | { readonly kind: 'misdirected' };

export interface HostGateOptions {
  /** host:port that people are told. */
  readonly publicAddress: () => string;
  readonly appHosts: () => ReadonlyMap<string, string>;
}

/**
 * A browser that sends one name in TLS and another in Host, as over a connection that it re-uses, is told so (421) rather than given the
 * pages of either. Host is compared with names that are known and is written nowhere.
 */
export function askedHost(request: FastifyRequest, { publicAddress, appHosts }: HostGateOptions): AskedHost {
  const [host, port] = splitHost(request.headers.host ?? '');
  const { servername } = request.raw.socket as Partial<TLSSocket>;
  const agrees = typeof servername !== 'string' || servername === '' || servername.toLowerCase() === host;
  const [ownHost, ownPort] = splitHost(publicAddress());
  if (!agrees || port !== ownPort) return { kind: 'misdirected' };
  if (host === ownHost) return { kind: 'own' };
  const app = appHosts().get(host);
  return app === undefined ? { kind: 'misdirected' } : { kind: 'app', app };
}

/** As browsers write it in Origin and as links begin. */
export function originOf(publicAddress: string): string {
  const [host, port] = splitHost(publicAddress);
  return `https://${host}${port === DEFAULT_PORT ? '' : `:${port}`}`;
}

const DEFAULT_PORT = '443';

function splitHost(text: string): readonly [host: string, port: string] {
  const [, host = '', port = DEFAULT_PORT] = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(\d{1,5}))?$/i.exec(text) ?? [];
  return [host.toLowerCase(), port];
}
