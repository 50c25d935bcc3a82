import { connect, type Socket } from 'node:net';
import { getProxiedConnection, mapProxyName } from '@grpc/grpc-js/build/src/http_proxy.js';
import { PosternError } from '@postern/api';

/**
 * A TCP connection to `host:port`, through the HTTP proxy that the environment names where it names one: by the very
 * rules that grpc-js has for the channels beside this one.
 */
export async function dial(address: string, signal: AbortSignal): Promise<Socket> {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(address) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(port) > 65_535) throw new PosternError('bad_request', `"${address}" is not host:port`);
  const { target, extraOptions } = mapProxyName({ scheme: 'dns', path: address }, {});
  if ('grpc.http_connect_target' in extraOptions) return await throughProxy(target.path, extraOptions);
  return await new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port), noDelay: true });
    const stop = () => void socket.destroy(new Error('stopped'));
    signal.addEventListener('abort', stop, { once: true });
    const failed = (error: NodeJS.ErrnoException) =>
      reject(new PosternError('cannot_connect', `it does not answer (${error.code ?? error.message})`, { cause: error }));
    socket.once('error', failed).once('connect', () => {
      signal.removeEventListener('abort', stop);
      socket.off('error', failed);
      resolve(socket);
    });
  });
}

async function throughProxy(proxy: string, options: ReturnType<typeof mapProxyName>['extraOptions']): Promise<Socket> {
  const at = proxy.lastIndexOf(':');
  const socket = await getProxiedConnection({ host: proxy.slice(0, at), port: Number(proxy.slice(at + 1)) }, options).catch(() => null);
  if (socket === null) throw new PosternError('cannot_connect', `the HTTP proxy ${proxy} of the environment made no connection`);
  return socket.setNoDelay(true);
}
