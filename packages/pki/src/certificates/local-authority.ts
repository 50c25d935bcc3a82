import { KeyObject, webcrypto } from 'node:crypto';
import { publicKeyDerOf, readPem, readPrivateKey } from '#certificates/keys.ts';
import { nameConstraints, nameConstraintsOid } from '#certificates/name-constraints.ts';
import { BACKDATE_MS, newSerial, SIGNING, x509 } from '#certificates/x509-writer.ts';
import { PkiError } from '#pki-error.ts';

/**
 * An authority that one person's programs trust for the time of one login, so that a door on this machine can end TLS for hosts below
 * `domains`. It is no authority of the cluster: nothing there trusts it, and its certificates carry no identity.
 */
export interface LocalAuthority {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

export interface CreateLocalAuthorityOptions {
  /** What a person sees who looks into the bundle. */
  readonly name: string;
  /** Each with everything below it; the certificate says so itself, critically. */
  readonly domains: readonly string[];
  readonly notAfterMs: number;
  readonly nowMs: number;
}

export async function createLocalAuthority(options: CreateLocalAuthorityOptions): Promise<LocalAuthority> {
  const { name, domains, notAfterMs, nowMs } = options;
  const {
    X509CertificateGenerator,
    BasicConstraintsExtension,
    Extension,
    KeyUsageFlags,
    KeyUsagesExtension,
    Name,
    SubjectKeyIdentifierExtension,
  } = await x509();
  if (domains.length === 0 || notAfterMs <= nowMs) throw new PkiError('bad_request', 'a local authority needs domains and an end to come');
  const keys = await webcrypto.subtle.generateKey(SIGNING, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    // A bare string that begins with # would be taken for DER in hex.
    name: new Name([{ CN: [{ utf8String: name.slice(0, 64).toWellFormed() }] }]),
    notBefore: new Date(nowMs - BACKDATE_MS),
    notAfter: new Date(Math.floor(notAfterMs / 1000) * 1000),
    signingAlgorithm: SIGNING,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true),
      new Extension(nameConstraintsOid, true, nameConstraints(domains)),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const privateKeyPem = KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' }).toString();
  return { certificatePem: `${certificate.toString('pem')}\n`, privateKeyPem };
}

/** Signs leaves for single hosts, no longer than the authority itself lives. */
export interface LocalIssuer {
  issue(options: { readonly host: string; readonly publicKey: Buffer; readonly nowMs: number }): Promise<string>;
}

export async function openLocalAuthority({ certificatePem, privateKeyPem }: LocalAuthority): Promise<LocalIssuer> {
  const key = readPrivateKey(privateKeyPem);
  const authority = readPem(certificatePem);
  if (!publicKeyDerOf(key).equals(publicKeyDerOf(authority.publicKey)))
    throw new PkiError('bad_key', 'the key does not belong to the local authority');
  const {
    AuthorityKeyIdentifierExtension,
    BasicConstraintsExtension,
    ExtendedKeyUsage,
    ExtendedKeyUsageExtension,
    KeyUsageFlags,
    KeyUsagesExtension,
    SubjectAlternativeNameExtension,
    X509Certificate,
    X509CertificateGenerator,
  } = await x509();
  const issuer = new X509Certificate(certificatePem);
  const signingKey = await webcrypto.subtle.importKey('pkcs8', key.export({ type: 'pkcs8', format: 'der' }), SIGNING, false, ['sign']);
  const always = [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
    await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
  ];
  return {
    issue: async ({ host, publicKey, nowMs }) => {
      const leaf = await X509CertificateGenerator.create({
        serialNumber: newSerial(),
        subject: [{ CN: ['local door of tsh'] }],
        issuer: issuer.subjectName,
        notBefore: new Date(nowMs - BACKDATE_MS),
        notAfter: authority.validToDate,
        signingAlgorithm: SIGNING,
        publicKey,
        signingKey,
        extensions: [...always, new SubjectAlternativeNameExtension([{ type: 'dns', value: host }])],
      });
      return `${leaf.toString('pem')}\n`;
    },
  };
}
