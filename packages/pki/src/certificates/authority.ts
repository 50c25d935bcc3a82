import { KeyObject, webcrypto } from 'node:crypto';
import { type AuthorityKind, authorityOfUris, authorityUri, isClusterName } from '#certificates/identity-rules.ts';
import { publicKeyDerOf, readPem, readPrivateKey } from '#certificates/keys.ts';
import { readCertificate } from '#certificates/read-certificate.ts';
import { BACKDATE_MS, newSerial, SIGNING, x509 } from '#certificates/x509-writer.ts';
import { PkiError } from '#pki-error.ts';

/** A certificate authority of the cluster: only auth holds one. */
export interface Authority {
  readonly kind: AuthorityKind;
  readonly cluster: string;
  readonly certificatePem: string;
  readonly privateKey: KeyObject;
}

const AUTHORITY_LIFETIME_MS = 10 * 365 * 24 * 3_600_000;

export async function createAuthority(options: {
  readonly kind: AuthorityKind;
  readonly cluster: string;
  readonly nowMs: number;
}): Promise<Authority> {
  const { kind, cluster, nowMs } = options;
  if (!isClusterName(cluster))
    throw new PkiError('bad_request', `"${cluster}" cannot be the name of a cluster: letters, digits, dots and hyphens`);
  const {
    X509CertificateGenerator,
    BasicConstraintsExtension,
    KeyUsagesExtension,
    KeyUsageFlags,
    SubjectAlternativeNameExtension,
    SubjectKeyIdentifierExtension,
  } = await x509();
  const keys = await webcrypto.subtle.generateKey(SIGNING, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: [{ CN: [`${kind} authority`] }, { O: [cluster] }],
    notBefore: new Date(nowMs - BACKDATE_MS),
    notAfter: new Date(nowMs + AUTHORITY_LIFETIME_MS),
    signingAlgorithm: SIGNING,
    keys,
    extensions: [
      // Path length 0: an authority signs leaves only, so a leaf's holder can never act as one.
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      new SubjectAlternativeNameExtension([{ type: 'url', value: authorityUri(cluster, kind) }]),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { kind, cluster, certificatePem: `${certificate.toString('pem')}\n`, privateKey: KeyObject.from(keys.privateKey) };
}

/** Kind and cluster of an authority's certificate, read from it and not verified; throws where it is none. */
export function readAuthority(certificatePem: string): { readonly kind: AuthorityKind; readonly cluster: string } {
  const { isCa, uris } = readCertificate(readPem(certificatePem).raw);
  const authority = authorityOfUris(uris);
  if (!isCa || !authority) throw new PkiError('malformed', 'the certificate is not an authority of this system');
  return authority;
}

/** PKCS #8 in PEM, for auth to seal before it is stored. */
export function authorityKeyPem(authority: Authority): string {
  return authority.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** The inverse of createAuthority and authorityKeyPem; refuses what does not belong together. */
export function loadAuthority(stored: {
  readonly kind: AuthorityKind;
  readonly cluster: string;
  readonly certificatePem: string;
  readonly privateKeyPem: string | Buffer;
}): Authority {
  const { kind, cluster, certificatePem } = stored;
  const privateKey = readPrivateKey(stored.privateKeyPem);
  const certificate = readPem(certificatePem);
  const { isCa, uris } = readCertificate(certificate.raw);
  if (!isCa || !uris.includes(authorityUri(cluster, kind)))
    throw new PkiError('bad_request', `the certificate is not the ${kind} authority of ${cluster}`);
  if (!publicKeyDerOf(privateKey).equals(publicKeyDerOf(certificate.publicKey))) {
    throw new PkiError('bad_key', `the key does not belong to the ${kind} authority of ${cluster}`);
  }
  return { kind, cluster, certificatePem, privateKey };
}
