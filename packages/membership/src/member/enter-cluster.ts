import { PosternError } from '@postern/api/errors';
import { type JoinSettings, joinCluster } from '#join/join-cluster.ts';
import { readTokenValue } from '#join/read-token-value.ts';
import type { Reach } from '#join/trusted-auth.ts';
import { HostMember } from '#member/host-member.ts';
import { loadMember, memberFile, saveMember } from '#member/stored-member.ts';
import type { MemberMaterial } from '#member/host-material.ts';

export type EnterOptions = Reach &
  JoinSettings & {
    readonly dataDir: string;
    /** The token, the absolute path of its file, or a function that makes one; looked at only where a join is needed. */
    readonly token?: string | (() => Promise<string>);
  };

/**
 * What a service does at start: goes on with the identity of an earlier join, or joins and keeps what it got. Renewed
 * certificates are kept as well, so that the next start needs neither token nor network.
 */
export async function enterCluster(options: EnterOptions): Promise<HostMember> {
  const { dataDir, role } = options;
  const stored = loadMember(dataDir, role);
  const isValid = stored !== undefined && stored.notAfterMs > (options.nowMs ?? Date.now)();
  const member = isValid ? resume(stored, options) : await join(options, stored);
  member.onRenewed((material) => saveMember(dataDir, material));
  return member;
}

function resume(material: MemberMaterial, options: EnterOptions): HostMember {
  const place =
    options.proxy === undefined
      ? { address: options.authServer, via: 'direct' as const }
      : { address: options.proxy, via: 'proxy' as const };
  return new HostMember({ ...options, ...place, material });
}

async function join(options: EnterOptions, stored: MemberMaterial | undefined): Promise<HostMember> {
  const { dataDir, role, onWarning } = options;
  if (options.token === undefined || options.token === '') {
    const why =
      stored === undefined
        ? `this host has not joined yet (${memberFile(dataDir, role)} does not exist)`
        : `the certificate in ${memberFile(dataDir, role)} has expired`;
    throw new PosternError('bad_request', `a join token is missing, and ${why}: tctl tokens add --type=${role}`);
  }
  const token = typeof options.token === 'string' ? readTokenValue(options.token, onWarning ? { onWarning } : {}) : await options.token();
  const member = await joinCluster({ ...options, token });
  try {
    saveMember(dataDir, member.material());
  } catch (error) {
    await member.stop();
    throw error;
  }
  return member;
}
