import { X509Certificate } from 'node:crypto';
import { type HostIdentity } from '@postern/api';
import { PosternError } from '@postern/api/errors';
import { Identity_Kind } from '@postern/api/identity';
import { certificateDerOf, readCertificate, verifyPeer } from '@postern/pki';

export const hostRoles = ['db', 'app', 'proxy'] as const;
export type HostRole = (typeof hostRoles)[number];

const kindOfRole: Record<HostRole, Identity_Kind> = {
  db: Identity_Kind.DB_AGENT,
  app: Identity_Kind.APP_AGENT,
  proxy: Identity_Kind.PROXY,
};

/** A host's certificate as it is now, with its key, and whom the host trusts. */
export interface HostMaterial {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly hostCaPems: readonly string[];
  readonly userCaPems: readonly string[];
  readonly notAfterMs: number;
}

export interface MemberMaterial extends HostMaterial {
  readonly role: HostRole;
  readonly hostId: string;
  readonly cluster: string;
  /** When the certificate became valid, without the minute that it is dated back. */
  readonly issuedMs: number;
}

const BACKDATE_MS = 60_000;

export interface Expected {
  readonly role: HostRole;
  readonly cluster: string;
  /** Where it is known already. */
  readonly hostId?: string;
  readonly privateKeyPem: string;
  readonly publicKeyDer: Buffer;
}

/** Takes what auth issued, and refuses a certificate that is not the one that was asked for. */
export function materialOf(answer: HostIdentity, expected: Expected): MemberMaterial {
  const { certificatePem, hostId, cluster, hostCaPems, userCaPems } = answer;
  return checkMaterial(
    { role: expected.role, hostId, cluster, certificatePem, privateKeyPem: expected.privateKeyPem, hostCaPems, userCaPems },
    expected,
  );
}

export function checkMaterial(
  given: Omit<MemberMaterial, 'notAfterMs' | 'issuedMs'>,
  expected: Pick<Expected, 'cluster' | 'hostId' | 'publicKeyDer'>,
): MemberMaterial {
  if (given.cluster !== expected.cluster || (expected.hostId !== undefined && given.hostId !== expected.hostId)) {
    throw new PosternError('internal', `the certificate is for host ${given.hostId} of ${given.cluster}, which was not asked for`);
  }
  if (given.hostCaPems.length === 0 || given.userCaPems.length === 0)
    throw new PosternError('internal', 'the certificate came without the authorities of the cluster');
  const certificateDer = certificateDerOf(given.certificatePem);
  const { notBeforeMs, notAfterMs } = readCertificate(certificateDer);
  // Whether it is still valid is another question, asked by whoever uses it.
  const duringItsLifeMs = (notBeforeMs + notAfterMs) / 2;
  verifyPeer({
    certificateDer,
    cluster: given.cluster,
    kinds: [kindOfRole[given.role]],
    names: [given.hostId],
    hostCaPems: given.hostCaPems,
    userCaPems: [],
    nowMs: duringItsLifeMs,
  });
  const publicKeyDer = new X509Certificate(certificateDer).publicKey.export({ type: 'spki', format: 'der' });
  if (!publicKeyDer.equals(expected.publicKeyDer)) throw new PosternError('internal', 'the certificate is for another key');
  return Object.freeze({ ...given, notAfterMs, issuedMs: notBeforeMs + BACKDATE_MS });
}
