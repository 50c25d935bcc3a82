import type { RequestHead } from '#requests/request-head.ts';

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

/**
 * The local port of tsh can be reached by any page that the person's browser has open. A page that posts there sends an
 * Origin, and one that has rebound its own name to 127.0.0.1 sends that name as Host. Programs send neither. tsh looks
 * at a connection's first request; this looks at each. The answer is why the request is refused, or undefined.
 */
export function browserRefusal(head: RequestHead, localPort: number | undefined): string | undefined {
  if (localPort === undefined) return 'the client did not say which local port it serves: update tsh';
  if (head.host === undefined) return 'the request has no Host header';
  if (!isLoopback(head.host, localPort))
    return `Host ${shown(head.host)} is not localhost:${localPort}, 127.0.0.1:${localPort} or [::1]:${localPort}`;
  if (head.origin !== undefined) return 'a request with an Origin header comes from a browser page';
  if (head.fetchSite !== undefined && head.fetchSite !== 'none' && head.fetchSite !== 'same-origin')
    return 'the request comes from a page of another site';
  return undefined;
}

function isLoopback(host: string, port: number): boolean {
  const suffix = `:${port}`;
  // HTTP leaves the port out where it is 80.
  const name = host.endsWith(suffix) ? host.slice(0, -suffix.length) : port === 80 ? host : undefined;
  return name !== undefined && LOOPBACK.includes(name.toLowerCase());
}

function shown(host: string): string {
  return JSON.stringify(host.slice(0, 100));
}
