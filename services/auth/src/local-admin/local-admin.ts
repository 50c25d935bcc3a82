import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Identity_Kind } from '@postern/api';
import { generateKey, issueCertificate } from '@postern/pki';
import type { Authorities } from '#authorities/authorities.ts';
import { hostIdentity } from '#certs/issue-host-cert.ts';
import { HOST_CERT_TTL_MS } from '#config.ts';
import { replaceFileDurably } from '#seal/private-file.ts';

export interface LocalAdminOptions {
  readonly file: string;
  readonly authorities: Authorities;
  /** Where tctl on this host reaches auth. */
  readonly address: string;
  readonly nowMs: () => number;
}

/**
 * Writes an identity that may do everything, for `tctl` on the auth host: whoever may read the file (0600) may read the
 * store and the seal key as well. A new key each time; it lives a day and is written anew while auth runs.
 */
export async function writeLocalAdmin(options: LocalAdminOptions): Promise<{ readonly notAfterMs: number }> {
  const { file, authorities, address } = options;
  const nowMs = options.nowMs();
  const key = generateKey();
  const issued = await issueCertificate({
    authority: authorities.signer('user'),
    identity: hostIdentity({ kind: Identity_Kind.ADMIN, name: 'admin', cluster: authorities.cluster }),
    publicKey: key.publicKeyDer,
    notAfterMs: nowMs + HOST_CERT_TTL_MS,
    nowMs,
  });
  const content = {
    cluster: authorities.cluster,
    address,
    certificatePem: issued.certificatePem,
    privateKeyPem: key.privateKeyPem,
    hostCaPems: authorities.trustedPems('host'),
    notAfterMs: issued.notAfterMs,
  };
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await replaceFileDurably(file, `${JSON.stringify(content, undefined, 2)}\n`);
  return { notAfterMs: issued.notAfterMs };
}
