import type { Client } from '@grpc/grpc-js';
import { PosternError } from '@postern/api/errors';

/** Uses a channel to auth and closes it. Where nobody could be reached the error says who was tried, and the system's word for it. */
export async function reachAuth<T>(client: Client, address: string, act: (client: Client) => Promise<T>): Promise<T> {
  try {
    return await act(client);
  } catch (error) {
    throw explained(error, address);
  } finally {
    client.close();
  }
}

/** grpc-js: "No connection established. Last error: Error: connect ECONNREFUSED 127.0.0.1:1. Resolution note: ". */
function explained(error: unknown, address: string): unknown {
  if (!(error instanceof PosternError) || error.code !== 'unavailable' || !error.message.includes('No connection established'))
    return error;
  const [, reason] = /Last error: (?:Error: )?(?:connect )?(.+?)\.? Resolution note/s.exec(error.message) ?? [];
  return new PosternError(
    'cannot_connect',
    `cannot connect to the cluster at ${address}${reason === undefined ? '' : `: ${reason.trim()}`}`,
    {
      cause: error,
    },
  );
}
