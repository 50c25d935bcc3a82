import { callUnary, type HostIdentity, JoinService, PosternError } from '@postern/api';
import { generateKey } from '@postern/pki';
import { openAuthChannel } from '#channel/open-auth-channel.ts';
import { type Reach, type TrustedAuth, type TrustOptions, trustedAuth } from '#join/trusted-auth.ts';
import { HostMember, type HostMemberOptions } from '#member/host-member.ts';
import { type HostRole, type MemberMaterial, materialOf } from '#member/host-material.ts';

export interface JoinSettings extends TrustOptions, Pick<HostMemberOptions, 'onProblem' | 'nowMs' | 'random'> {
  readonly role: HostRole;
  readonly nodeName: string;
  readonly version: string;
}

export type JoinOptions = Reach &
  JoinSettings & {
    /** The token itself: see readTokenValue for one that may be a file. */
    readonly token: string;
  };

/** Joins with a token. Auth is verified before the token is sent, and the proxy never sees it. */
export async function joinCluster(options: JoinOptions): Promise<HostMember> {
  const auth = await trustedAuth(options, options);
  const material = await askToJoin(auth, options);
  return new HostMember({ ...options, material, address: auth.address, via: auth.via });
}

async function askToJoin(auth: TrustedAuth, options: JoinOptions): Promise<MemberMaterial> {
  const { token, role, nodeName, version, nowMs } = options;
  const key = generateKey();
  const client = openAuthChannel({ ...auth, ...(nowMs ? { nowMs } : {}) });
  let answer: HostIdentity;
  try {
    answer = await callUnary(client, JoinService.join, { token, role, nodeName, publicKey: key.publicKeyDer, version });
  } catch (error) {
    if (error instanceof PosternError && error.code === 'unavailable') {
      throw new PosternError('cannot_connect', `cannot reach auth of ${auth.cluster} through ${auth.address}: ${error.message}`, {
        cause: error,
      });
    }
    // Auth says no more of a token that it does not take: whoever guesses is told as little.
    if (error instanceof PosternError && error.code === 'denied')
      throw new PosternError('denied', `${error.message}: tctl tokens add --type=${role} makes a new one`, { cause: error });
    throw error;
  } finally {
    client.close();
  }
  return materialOf(answer, { role, cluster: auth.cluster, ...key });
}
