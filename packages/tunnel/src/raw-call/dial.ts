import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { mapProxyName } from '@grpc/grpc-js/build/src/http_proxy.js';
import { PosternError } from '@postern/api';

/** An open connection, and how to open another to the very same server, though its name may have several addresses. */
export interface Dialled {
  readonly socket: Socket;
  readonly again: (signal: AbortSignal) => Promise<Socket>;
}

/** A NAT in between does not forget what waits; and a host that has vanished is noticed ten seconds later by the kernel, for which no process wakes. */
const TCP_KEEPALIVE_MS = 30_000;

/**
 * A TCP connection to `host:port`, through the HTTP proxy that the environment names where it names one: by the very
 * rules that grpc-js has for the channels beside this one.
 */
export async function dial(address: string, signal: AbortSignal): Promise<Dialled> {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(address) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(port) > 65_535) throw new PosternError('bad_request', `"${address}" is not host:port`);
  const { target, extraOptions } = mapProxyName({ scheme: 'dns', path: address }, {});
  if ('grpc.http_connect_target' in extraOptions) {
    const creds = extraOptions['grpc.http_connect_creds'];
    const again = (until: AbortSignal) => throughProxy(target.path, address, creds, until);
    return { socket: await again(signal), again };
  }
  const socket = await direct(host, Number(port), signal);
  const reached = socket.remoteAddress ?? host;
  return { socket, again: (until) => direct(reached, Number(port), until) };
}

function direct(host: string, port: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(new PosternError('cannot_connect', 'it was given up'));
    const socket = connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: TCP_KEEPALIVE_MS });
    const stop = () => void socket.destroy(new Error('stopped'));
    signal.addEventListener('abort', stop, { once: true });
    const settle = () => {
      signal.removeEventListener('abort', stop);
      socket.off('error', failed).off('connect', connected);
    };
    const failed = (error: NodeJS.ErrnoException) => {
      settle();
      reject(new PosternError('cannot_connect', `it does not answer (${error.code ?? error.message})`, { cause: error }));
    };
    const connected = () => {
      settle();
      resolve(socket);
    };
    socket.once('error', failed).once('connect', connected);
  });
}

/** RFC 9110, 9.3.6. grpc-js's own knows neither a time limit nor an end. */
function throughProxy(proxy: string, address: string, creds: string | undefined, signal: AbortSignal): Promise<Socket> {
  const { hostname, port } = new URL(`http://${proxy}`);
  const headers = {
    host: address,
    ...(creds === undefined ? {} : { 'proxy-authorization': `Basic ${Buffer.from(creds).toString('base64')}` }),
  };
  const asked = request({
    method: 'CONNECT',
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port || 80,
    path: address,
    headers,
    agent: false,
    signal,
  });
  return new Promise((resolve, reject) => {
    const fail = (why: string, cause?: unknown) =>
      reject(new PosternError('cannot_connect', `the HTTP proxy ${proxy} of the environment ${why}`, { cause }));
    asked.once('error', (error: NodeJS.ErrnoException) => fail(`made no connection (${error.code ?? error.message})`, error));
    // One that answers as if it were asked for a page.
    asked.once('response', (answer) => {
      answer.destroy();
      fail(`answered ${answer.statusCode ?? ''}`);
    });
    asked.once('connect', (answer, socket: Socket, head: Buffer) => {
      if (answer.statusCode !== 200) {
        socket.destroy();
        return fail(`answered ${answer.statusCode ?? ''}`);
      }
      if (head.length > 0) socket.unshift(head);
      resolve(socket.setNoDelay(true).setKeepAlive(true, TCP_KEEPALIVE_MS));
    });
    asked.end();
  });
}
