import { createHash } from 'node:crypto';
import { Identity } from '@postern/api/identity';
import { contentOf, DerCursor, type DerElement, derTag, readBoolean, readElement, readTimeMs } from '#certificates/der.ts';
import { MAX_IDENTITY_BYTES, oidHex } from '#certificates/identity-extension.ts';
import { PkiError } from '#pki-error.ts';

/** What a certificate says, read from its bytes alone. Nothing here has been verified: see check-peer.ts. */
export interface CertificateFacts {
  /** Lower-case hex without leading zero bytes. */
  readonly serial: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly isCa: boolean;
  readonly usages: { readonly serverAuth: boolean; readonly clientAuth: boolean; readonly other: boolean };
  readonly uris: readonly string[];
  readonly identity: Identity | undefined;
}

const MAX_CERTIFICATE_BYTES = 64 * 1024;
const MAX_EXTENSIONS = 32;
/** A busy agent sees the same few thousand certificates on each request; a parsed one takes about 2 kB. */
const MAX_CACHED = 1024;
const cache = new Map<string, CertificateFacts>();

export function identityOf(certificateDer: Buffer): Identity {
  const { identity } = readCertificate(certificateDer);
  if (!identity) throw new PkiError('no_identity', 'the certificate carries no identity of this system');
  return identity;
}

export function readCertificate(certificateDer: Buffer): CertificateFacts {
  if (certificateDer.length > MAX_CERTIFICATE_BYTES)
    throw new PkiError('malformed', `the certificate is larger than ${MAX_CERTIFICATE_BYTES} bytes`);
  const key = createHash('sha256').update(certificateDer).digest('base64');
  const known = cache.get(key);
  if (known) return known;
  const facts = parse(certificateDer);
  if (cache.size >= MAX_CACHED) for (const oldest of cache.keys()) if (cache.delete(oldest)) break;
  cache.set(key, facts);
  return facts;
}

/** RFC 5280, 4.1. */
function parse(bytes: Buffer): CertificateFacts {
  const certificate = readElement(bytes, 0, bytes.length);
  if (certificate.tag !== derTag.sequence || certificate.end !== bytes.length)
    throw new PkiError('malformed', 'the certificate is not one DER sequence');
  const outer = new DerCursor(certificate);
  const tbs = new DerCursor(outer.next(derTag.sequence));
  outer.next(derTag.sequence);
  outer.next(derTag.bitString);
  outer.finish();

  const version = contentOf(tbs.next(derTag.version));
  if (!version.equals(Buffer.from([derTag.integer, 1, 2]))) throw new PkiError('malformed', 'the certificate is not X.509 version 3');
  const serial = contentOf(tbs.next(derTag.integer))
    .toString('hex')
    .replace(/^(00)+/, '');
  tbs.next(derTag.sequence); // signature algorithm; the verifier reads it
  tbs.next(derTag.sequence); // issuer
  const validity = new DerCursor(tbs.next(derTag.sequence));
  const notBeforeMs = readTimeMs(validity.nextOfAny());
  const notAfterMs = readTimeMs(validity.nextOfAny());
  validity.finish();
  tbs.next(derTag.sequence); // subject: text for people, never a source of who someone is
  tbs.next(derTag.sequence); // public key
  tbs.nextIf(derTag.issuerUniqueId);
  tbs.nextIf(derTag.subjectUniqueId);
  const wrapper = tbs.nextIf(derTag.extensions);
  tbs.finish();
  const extensions = wrapper ? readExtensions(wrapper) : new Map<string, Buffer>();

  return Object.freeze({
    serial,
    notBeforeMs,
    notAfterMs,
    isCa: readIsCa(extensions.get(oidHex.basicConstraints)),
    usages: readUsages(extensions.get(oidHex.extendedKeyUsage)),
    uris: readUris(extensions.get(oidHex.subjectAlternativeName)),
    identity: readIdentity(extensions.get(oidHex.identity)),
  });
}

function readExtensions(wrapper: DerElement): Map<string, Buffer> {
  const explicit = new DerCursor(wrapper);
  const list = new DerCursor(explicit.next(derTag.sequence));
  explicit.finish();
  const found = new Map<string, Buffer>();
  while (!list.atEnd) {
    if (found.size >= MAX_EXTENSIONS) throw new PkiError('malformed', `the certificate has more than ${MAX_EXTENSIONS} extensions`);
    const extension = new DerCursor(list.next(derTag.sequence));
    const oid = contentOf(extension.next(derTag.objectIdentifier)).toString('hex');
    const critical = extension.nextIf(derTag.boolean);
    if (critical) readBoolean(critical);
    const value = contentOf(extension.next(derTag.octetString));
    extension.finish();
    // Two of a kind: one reader takes the first, another the last.
    if (found.has(oid)) throw new PkiError('malformed', 'the certificate has one extension twice');
    found.set(oid, value);
  }
  return found;
}

function only(value: Buffer): DerCursor {
  const element = readElement(value, 0, value.length);
  if (element.tag !== derTag.sequence || element.end !== value.length)
    throw new PkiError('malformed', 'an extension of the certificate is not one DER sequence');
  return new DerCursor(element);
}

function readIsCa(value: Buffer | undefined): boolean {
  if (!value) return false;
  const ca = only(value).nextIf(derTag.boolean);
  return ca !== undefined && readBoolean(ca);
}

function readUsages(value: Buffer | undefined): CertificateFacts['usages'] {
  const oids = new Set<string>();
  if (value) {
    const list = only(value);
    while (!list.atEnd) oids.add(contentOf(list.next(derTag.objectIdentifier)).toString('hex'));
  }
  const serverAuth = oids.delete(oidHex.serverAuth);
  const clientAuth = oids.delete(oidHex.clientAuth);
  return { serverAuth, clientAuth, other: oids.size > 0 };
}

function readUris(value: Buffer | undefined): string[] {
  const uris: string[] = [];
  if (!value) return uris;
  const names = only(value);
  while (!names.atEnd) {
    const name = names.nextOfAny();
    if (name.tag === derTag.uniformResourceIdentifier) uris.push(contentOf(name).toString('latin1'));
  }
  return uris;
}

function readIdentity(value: Buffer | undefined): Identity | undefined {
  if (!value) return undefined;
  if (value.length > MAX_IDENTITY_BYTES)
    throw new PkiError('malformed', `the identity in the certificate is larger than ${MAX_IDENTITY_BYTES} bytes`);
  try {
    const identity = Identity.decode(value);
    // The generated reader assigns map entries by key: one named __proto__ would become the map's prototype.
    if (Object.getPrototypeOf(identity.traits) !== Object.prototype) throw new TypeError('a trait named __proto__');
    return identity;
  } catch (cause) {
    throw new PkiError('malformed', 'the identity in the certificate cannot be read', { cause });
  }
}
