import { isIP } from 'node:net';
import { limits } from '@postern/limits';
import { parseRequestHead } from '#local-port/request-head.ts';

/**
 * A web page can make a browser send requests to a port of this machine, and with a name that it controls
 * (DNS rebinding) it could read the answers. What a browser cannot do is leave out `Origin` and
 * `Sec-Fetch-Site`, or send `Host: localhost` for a name that is not. So the first request of each connection
 * is read before anything is dialled; later ones on the same connection come from the same sender.
 */
export interface GuardOptions {
  readonly port: number;
  /** With --insecure-listen-anywhere: a literal address is no name that could be rebound. */
  readonly allowAddresses: boolean;
}

export const MAX_HEAD_BYTES = limits.headerBytes;
export const HEAD_TIMEOUT_MS = limits.headerMs;
const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]'];
const HTTP_PORT = 80;

/** Why the request is refused, or undefined where it may pass. `head` ends before the empty line. */
export function refusalOf(head: string, options: GuardOptions): string | undefined {
  const request = parseRequestHead(head);
  if (request === undefined) return 'the request is not HTTP/1.1';
  if (!request.target.startsWith('/')) return 'the request names an absolute URL: this port is not a web proxy';
  const hosts = request.headers.get('host') ?? [];
  const [host] = hosts;
  if (host === undefined || hosts.length !== 1) return `the request needs exactly one Host header, it has ${hosts.length}`;
  if (!isOurHost(host, options)) return `the Host header is not localhost:${options.port}: only programs of this machine may use this port`;
  if (request.headers.has('origin')) return 'the request carries an Origin header: web pages may not use this port';
  const sites = request.headers.get('sec-fetch-site') ?? [];
  if (!sites.every((site) => site === 'none' || site === 'same-origin')) return 'the request comes from a web page of another site';
  return undefined;
}

function isOurHost(host: string, { port, allowAddresses }: GuardOptions): boolean {
  const [, name = '', written] = /^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/.exec(host.toLowerCase()) ?? [];
  if (written === undefined ? port !== HTTP_PORT : written !== String(port)) return false;
  return LOOPBACK_NAMES.includes(name) || (allowAddresses && isIP(name.replace(/^\[|\]$/g, '')) !== 0);
}
