import { PosternError } from '@postern/api/errors';

export interface HostPort {
  readonly host: string;
  readonly port: number;
  /** host:port, with brackets around an IPv6 address. */
  readonly text: string;
}

/** "host:port", "host", "[v6]:port". Not a URL parser: what is not of these forms is refused. */
export function readHostPort(address: string, defaultPort: number): HostPort {
  const match = /^(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})))(?::(\d{1,5}))?$/.exec(address);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? defaultPort : Number(match[3]);
  if (host === undefined || port > 65_535)
    throw new PosternError('bad_request', `${JSON.stringify(address)} is not an address: write host:port`);
  return { host, port, text: host.includes(':') ? `[${host}]:${port}` : `${host}:${port}` };
}
