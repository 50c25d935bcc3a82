import { awsTunnel, isAwsHost } from '@postern/aws';
import { mayBeDialled } from '@postern/http';
import { isIP } from 'node:net';
import type { ConnectTarget } from '#proxy-aws/connect-target.ts';

export type Route =
  /** TLS ends here, and the requests within go to the agent. */
  | { readonly kind: 'aws' }
  /** The client's own TLS goes to the agent, which decides, records and copies. */
  | { readonly kind: 'tunnel'; readonly host: string }
  /** Nothing of the cluster's: joined from here, untouched. */
  | { readonly kind: 'direct' }
  | { readonly kind: 'refused'; readonly reason: string };

const HTTPS_PORT = 443;
const LOCAL_NAME = /^(?:.+\.)?localhost\.?$/i;

/** Where a connection goes that a program of this machine asks its proxy for. `isOwn`: whether the application names it beside AWS's own. */
export async function routeOf({ host, port }: ConnectTarget, isOwn: (host: string) => Promise<boolean>): Promise<Route> {
  if (port === HTTPS_PORT) {
    const tunnel = awsTunnel(host);
    if (tunnel !== undefined) return { kind: 'tunnel', host: tunnel.host };
    if (isAwsHost(host) || (await isOwn(host))) return { kind: 'aws' };
  }
  // A program reaches its own machine without a proxy. Through one it would be this process that asks: for an instance's own keys, say.
  if (LOCAL_NAME.test(host) || (isIP(host) !== 0 && !mayBeDialled(host)))
    return { kind: 'refused', reason: `${host} is this machine or its link: add it to NO_PROXY` };
  return { kind: 'direct' };
}
