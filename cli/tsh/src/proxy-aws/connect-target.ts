import { parseRequestHead } from '#local-port/request-head.ts';

/** The far end that a client asks its proxy for. */
export interface ConnectTarget {
  /** As it was written, without brackets: a name or an address. */
  readonly host: string;
  readonly port: number;
}
export interface ConnectRefusal {
  readonly status: 400 | 405;
  readonly reason: string;
}

const AUTHORITY = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]{1,253}):([1-9]\d{0,4})$/;
const MAX_PORT = 65_535;

/** Reads the head of a request to the forward proxy. Anything but CONNECT is no request for it: what it would answer nobody has asked for. */
export function connectTarget(head: string): ConnectTarget | ConnectRefusal {
  const request = parseRequestHead(head);
  if (request === undefined) return { status: 400, reason: 'the request is not HTTP/1.1' };
  if (request.method !== 'CONNECT') return { status: 400, reason: otherMethod(request.target) };
  const [, host, port] = AUTHORITY.exec(request.target) ?? [];
  if (host === undefined || Number(port) > MAX_PORT) return { status: 400, reason: 'CONNECT needs host:port' };
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
}

function otherMethod(target: string): string {
  if (/^http:\/\//i.test(target))
    return 'plain http:// does not pass this proxy: it is for HTTPS, set HTTPS_PROXY to it and leave HTTP_PROXY as it was';
  return 'this port is a proxy for HTTPS and serves nothing itself: set HTTPS_PROXY to it';
}
