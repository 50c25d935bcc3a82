import { createPublicKey } from 'node:crypto';
import { join } from 'node:path';
import { PosternError } from '@postern/api/errors';
import { checkMaterial, type HostRole, type MemberMaterial } from '#member/host-material.ts';
import { readPrivateFile, writePrivateFile } from '#member/private-files.ts';

const FORMAT = 1;

/** DATA_DIR/proc/ROLE.json: the only place where a host's private key is ever written. */
export function memberFile(dataDir: string, role: HostRole): string {
  return join(dataDir, 'proc', `${role}.json`);
}

export function saveMember(dataDir: string, member: MemberMaterial): void {
  const { role, hostId, cluster, certificatePem, privateKeyPem, hostCaPems, userCaPems } = member;
  const stored = { format: FORMAT, role, hostId, cluster, certificatePem, privateKeyPem, hostCaPems, userCaPems };
  writePrivateFile(memberFile(dataDir, role), `${JSON.stringify(stored, undefined, 2)}\n`);
}

/** undefined where this host has not joined yet. The certificate may have expired. Garbage is an error, not a new join: a token may be gone. */
export function loadMember(dataDir: string, role: HostRole): MemberMaterial | undefined {
  const file = memberFile(dataDir, role);
  const text = readPrivateFile(file);
  if (text === undefined) return undefined;
  try {
    const stored = readStored(JSON.parse(text), role);
    const publicKeyDer = createPublicKey(stored.privateKeyPem).export({ type: 'spki', format: 'der' });
    return checkMaterial(stored, { cluster: stored.cluster, publicKeyDer });
  } catch (error) {
    // OpenSSL's errors and JSON's quote their input, and the input holds a key: neither is passed on.
    const reason = error instanceof PosternError ? `: ${error.message}` : '';
    throw new PosternError(
      'bad_request',
      `${file} is damaged${reason}; remove it and join again with a new token (tctl tokens add --type=${role})`,
    );
  }
}

function readStored(value: unknown, role: HostRole): Omit<MemberMaterial, 'notAfterMs' | 'issuedMs'> {
  const fields = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  if (fields.format !== FORMAT) throw new PosternError('bad_request', 'it was written by another version');
  if (fields.role !== role) throw new PosternError('bad_request', 'it is of another role');
  const text = (name: string): string => {
    const field = fields[name];
    if (typeof field !== 'string' || field === '') throw new PosternError('bad_request', `${name} is missing`);
    return field;
  };
  const texts = (name: string): string[] => {
    const field = fields[name];
    if (!Array.isArray(field) || !field.every((item): item is string => typeof item === 'string'))
      throw new PosternError('bad_request', `${name} is missing`);
    return field;
  };
  return {
    role,
    hostId: text('hostId'),
    cluster: text('cluster'),
    certificatePem: text('certificatePem'),
    privateKeyPem: text('privateKeyPem'),
    hostCaPems: texts('hostCaPems'),
    userCaPems: texts('userCaPems'),
  };
}
