import { webcrypto } from 'node:crypto';
import type * as X509 from '@peculiar/x509';
import { Identity } from '@postern/api/identity';
import type { Authority } from '#certificates/authority.ts';
import { identityOid, MAX_IDENTITY_BYTES } from '#certificates/identity-extension.ts';
import { rulesOf } from '#certificates/identity-rules.ts';
import { publicKeyDerOf, readPem, readPublicKey } from '#certificates/keys.ts';
import { readCertificate } from '#certificates/read-certificate.ts';
import { BACKDATE_MS, newSerial, SIGNING, x509 } from '#certificates/x509-writer.ts';
import { PkiError } from '#pki-error.ts';

export interface IssueOptions {
  readonly authority: Authority;
  readonly identity: Identity;
  /** SubjectPublicKeyInfo in DER; an uncompressed P-256 point or refused. */
  readonly publicKey: Buffer;
  readonly notAfterMs: number;
  readonly nowMs: number;
  readonly dnsNames?: readonly string[];
}

export interface Issued {
  readonly certificatePem: string;
  readonly certificateDer: Buffer;
  /** As `readCertificate` gives it: lower-case hex. */
  readonly serial: string;
  readonly notBeforeMs: number;
  /** In whole seconds, as the certificate holds it: never later than what was asked. */
  readonly notAfterMs: number;
}

const MAX_DNS_NAMES = 20;

/** Everything in the certificate is chosen here, from the identity; of the asker's request only the key is taken. */
export async function issueCertificate(options: IssueOptions): Promise<Issued> {
  const { authority, identity, dnsNames = [] } = options;
  const rules = rulesOf(identity);
  if (rules.authority !== authority.kind)
    throw new PkiError('bad_request', `the ${authority.kind} authority does not sign this kind of identity`);
  if (identity.cluster !== authority.cluster)
    throw new PkiError('wrong_cluster', `the authority of ${authority.cluster} does not sign for ${identity.cluster}`);
  if (Object.hasOwn(identity.traits, '__proto__')) throw new PkiError('bad_request', 'a trait may not be named __proto__');
  const extension = Buffer.from(Identity.encode(identity).finish());
  if (extension.length > MAX_IDENTITY_BYTES) {
    throw new PkiError(
      'bad_request',
      `the roles and traits of ${identity.name} take more than ${MAX_IDENTITY_BYTES} bytes in a certificate`,
    );
  }
  if (dnsNames.length > MAX_DNS_NAMES || !dnsNames.every(isDnsName))
    throw new PkiError('bad_request', `a certificate takes at most ${MAX_DNS_NAMES} valid DNS names`);
  checkKey(options.publicKey, authority);
  const { notBeforeMs, notAfterMs } = lifetime(options);

  const { X509CertificateGenerator, ExtendedKeyUsageExtension, ExtendedKeyUsage, SubjectAlternativeNameExtension, Extension, Name } =
    await x509();
  const issuer = await issuerOf(authority);
  const serial = newSerial();
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serial,
    subject: new Name([{ CN: [{ utf8String: subjectText(identity.name) }] }]),
    issuer: issuer.name,
    notBefore: new Date(notBeforeMs),
    notAfter: new Date(notAfterMs),
    signingAlgorithm: SIGNING,
    publicKey: options.publicKey,
    signingKey: issuer.signer,
    extensions: [
      ...issuer.extensions,
      new ExtendedKeyUsageExtension(
        rules.serves ? [ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth] : [ExtendedKeyUsage.clientAuth],
      ),
      new SubjectAlternativeNameExtension([
        { type: 'url', value: rules.spiffeId },
        ...dnsNames.map((value) => ({ type: 'dns', value }) as const),
      ]),
      new Extension(identityOid, false, extension),
    ],
  });
  const certificateDer = Buffer.from(certificate.rawData);
  return { certificatePem: `${certificate.toString('pem')}\n`, certificateDer, serial, notBeforeMs, notAfterMs };
}

/** A certificate whose key is the authority's own would let its holder pass for the authority. */
function checkKey(publicKey: Buffer, authority: Authority): void {
  readPublicKey(publicKey);
  if (publicKey.equals(publicKeyDerOf(authority.privateKey))) throw new PkiError('bad_key', "the public key is the authority's own");
}

function lifetime({ authority, nowMs, notAfterMs }: IssueOptions): { notBeforeMs: number; notAfterMs: number } {
  const wholeSeconds = Math.floor(notAfterMs / 1000) * 1000;
  if (!Number.isSafeInteger(wholeSeconds) || wholeSeconds <= nowMs)
    throw new PkiError('bad_request', 'a certificate must end in the future, at a finite time');
  const authorityEndMs = readCertificate(readPem(authority.certificatePem).raw).notAfterMs;
  if (wholeSeconds > authorityEndMs) throw new PkiError('bad_request', `a certificate may not outlive the ${authority.kind} authority`);
  return { notBeforeMs: Math.floor((nowMs - BACKDATE_MS) / 1000) * 1000, notAfterMs: wholeSeconds };
}

/** What every certificate of one authority has in common; making it anew took half the time of an issue. */
interface Issuer {
  readonly signer: webcrypto.CryptoKey;
  readonly name: X509.Name;
  readonly extensions: readonly X509.Extension[];
}
const issuers = new WeakMap<Authority, Promise<Issuer>>();

function issuerOf(authority: Authority): Promise<Issuer> {
  const known = issuers.get(authority);
  if (known) return known;
  const issuer = makeIssuer(authority);
  issuers.set(authority, issuer);
  return issuer;
}

async function makeIssuer(authority: Authority): Promise<Issuer> {
  const { AuthorityKeyIdentifierExtension, BasicConstraintsExtension, KeyUsageFlags, KeyUsagesExtension, X509Certificate } = await x509();
  const certificate = new X509Certificate(authority.certificatePem);
  const pkcs8 = authority.privateKey.export({ type: 'pkcs8', format: 'der' });
  const signer = await webcrypto.subtle.importKey('pkcs8', pkcs8, SIGNING, false, ['sign']).finally(() => pkcs8.fill(0));
  return {
    signer,
    name: certificate.subjectName,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      await AuthorityKeyIdentifierExtension.create(certificate.publicKey),
    ],
  };
}

/** For people who look with openssl; X.520 bounds a common name at 64 characters. */
/** Given as text and nothing else: a bare string that begins with # would be taken for DER in hex. */
function subjectText(name: string): string {
  return name.slice(0, 64).toWellFormed();
}

function isDnsName(name: string): boolean {
  return name.length <= 253 && /^(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i.test(name);
}
