import { PosternError } from '@postern/api/errors';
import { readPrivateFile } from '@postern/profile/private-files';

/** What auth writes for the administrator of its own host. */
export interface AdminIdentity {
  readonly file: string;
  readonly cluster: string;
  /** host:port of auth itself. */
  readonly address: string;
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly hostCaPems: readonly string[];
  readonly notAfterMs: number;
}

export function readAdminIdentity(file: string): AdminIdentity {
  const text = readPrivateFile(file);
  if (text === undefined)
    throw new PosternError('not_found', `${file} does not exist: is this the auth host, and has its auth server been started?`);
  const value = parse(text);
  const { cluster, address, certificatePem, privateKeyPem, hostCaPems, notAfterMs } = value ?? {};
  const texts = [cluster, address, certificatePem, privateKeyPem];
  if (!texts.every((part) => typeof part === 'string') || !Array.isArray(hostCaPems) || typeof notAfterMs !== 'number') {
    throw new PosternError('bad_request', `${file} is not the identity of an administrator: restart the auth server, which writes it anew`);
  }
  return { ...(value as AdminIdentity), file };
}

function parse(text: string): Partial<AdminIdentity> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
