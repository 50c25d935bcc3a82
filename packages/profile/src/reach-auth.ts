import { type Client, connectivityState } from '@grpc/grpc-js';
import { PosternError } from '@postern/api/errors';

/** Through the proxy to auth and back three times. A person waits for it, and so does a program whose ticket is stale. */
const CONNECT_MS = 5_000;
/** https://grpc.io/docs/guides/status-codes/ */
const DEADLINE_EXCEEDED = 4;

const IS_PROXY_RUNNING = 'is the proxy running? tsh login --proxy=<host:port> goes to another';

export interface ReachOptions {
  readonly connectMs?: number;
  /** What to do where nobody listens at the address. */
  readonly ifRefused?: string;
}

/** Uses a channel to auth and closes it. Where nobody could be reached the error says who was tried, and the system's word for it. */
export async function reachAuth<T>(
  client: Client,
  address: string,
  act: (client: Client) => Promise<T>,
  { connectMs = CONNECT_MS, ifRefused = IS_PROXY_RUNNING }: ReachOptions = {},
): Promise<T> {
  try {
    await untilConnected(client, connectMs, address);
    return await act(client);
  } catch (error) {
    throw explained(error, address, ifRefused);
  } finally {
    client.close();
  }
}

/** A connection that failed is left to the call, which knows why; one that does not come about in time is not waited for. */
function untilConnected(client: Client, connectMs: number, address: string): Promise<void> {
  const channel = client.getChannel();
  const deadline = Date.now() + connectMs;
  return new Promise((resolve, reject) => {
    const look = () => {
      const state = channel.getConnectivityState(true);
      if (state !== connectivityState.IDLE && state !== connectivityState.CONNECTING) return resolve();
      channel.watchConnectivityState(state, deadline, (late) => (late ? reject(silent(address, late)) : look()));
    };
    look();
  });
}

/** The proxy passes bytes on whether or not auth reads them: which of the two is silent cannot be told from here. */
function silent(address: string, cause: Error): PosternError {
  return new PosternError(
    'unavailable',
    `auth of the cluster at ${address} does not answer: it may be down or overloaded, try again later`,
    { cause },
  );
}

function nextStep(reason: string, ifRefused: string): string {
  if (reason.includes('ECONNREFUSED')) return `: ${ifRefused}`;
  if (reason.includes('ENOTFOUND')) return ': no host has this name; tsh login --proxy=<host:port> goes to another';
  return '';
}

/** grpc-js: "No connection established. Last error: Error: connect ECONNREFUSED 127.0.0.1:1. Resolution note: ". */
function explained(error: unknown, address: string, ifRefused: string): unknown {
  if (!(error instanceof PosternError) || error.code !== 'unavailable') return error;
  const { cause } = error;
  if (cause instanceof Error && 'code' in cause && cause.code === DEADLINE_EXCEEDED) return silent(address, cause);
  if (!error.message.includes('No connection established')) return error;
  // What the proxy's auth door answers where auth does not: OpenSSL's own words for it say nothing to a person.
  if (error.message.includes('alert internal error'))
    return new PosternError('cannot_connect', `the proxy at ${address} cannot reach auth: it is down or restarting, try again later`, {
      cause: error,
    });
  const [, reason = ''] = /Last error: (?:Error: )?(?:connect )?(.+?)\.? Resolution note/s.exec(error.message) ?? [];
  return new PosternError(
    'cannot_connect',
    `cannot connect to the cluster at ${address}${reason === '' ? '' : `: ${reason.trim()}`}${nextStep(reason, ifRefused)}`,
    {
      cause: error,
    },
  );
}
