import { type KeyObject, X509Certificate } from 'node:crypto';
import type { Identity, Identity_Kind } from '@postern/api/identity';
import { type AuthorityKind, authorityUri, rulesOf } from '#certificates/identity-rules.ts';
import { readPem } from '#certificates/keys.ts';
import { type CertificateFacts, readCertificate } from '#certificates/read-certificate.ts';
import { PkiError } from '#pki-error.ts';

export interface CheckPeerOptions {
  readonly certificateDer: Buffer;
  /** The same certificate where it has been read already: its `raw` is `certificateDer`. */
  readonly certificate?: X509Certificate | undefined;
  readonly cluster: string;
  /** The kinds that are welcome here; all others are refused. */
  readonly kinds: readonly Identity_Kind[];
  /** Where given, the only names that are welcome: agent ids, say. */
  readonly names?: readonly string[];
  /** Agents, proxies and auth servers must come from one of these. */
  readonly hostCaPems: readonly string[];
  /** Users, sessions and administrators must come from one of these. */
  readonly userCaPems: readonly string[];
  readonly nowMs: number;
}

export interface Peer {
  readonly identity: Identity;
  readonly serial: string;
  readonly notAfterMs: number;
}

/**
 * The one place where a peer's certificate becomes an identity. TLS may have verified the chain already, against both
 * authorities at once; which of the two signed is verified here again, by signature, so that a host certificate never
 * passes for a user's nor a leaf for an authority. Throws PkiError.
 */
export function checkPeer(options: CheckPeerOptions): Identity {
  return verifyPeer(options).identity;
}

/** As checkPeer, with the serial and the end of the certificate beside the identity. */
export function verifyPeer(options: CheckPeerOptions): Peer {
  const facts = readCertificate(options.certificateDer);
  const { identity } = facts;
  if (facts.isCa) throw new PkiError('is_ca', "an authority's certificate cannot be used to connect");
  if (!identity) throw new PkiError('no_identity', 'the certificate carries no identity of this system');
  const rules = rulesOf(identity);
  const { serverAuth, clientAuth, other } = facts.usages;
  if (!clientAuth || serverAuth !== rules.serves || other) throw new PkiError('wrong_usage', 'the certificate is not made for this use');
  if (facts.uris.length !== 1 || facts.uris[0] !== rules.spiffeId)
    throw new PkiError('malformed', 'the certificate contradicts itself about whose it is');
  if (identity.cluster !== options.cluster)
    throw new PkiError('wrong_cluster', `the certificate is of cluster ${identity.cluster}, and this is ${options.cluster}`);
  checkSignature(options, facts, rules.authority);
  checkDates(facts, options.nowMs);
  if (!options.kinds.includes(identity.kind)) throw new PkiError('wrong_kind', 'a certificate of this kind is not accepted here');
  if (options.names && !options.names.includes(identity.name))
    throw new PkiError('wrong_name', `the certificate of ${identity.name} is not accepted here`);
  return { identity, serial: facts.serial, notAfterMs: facts.notAfterMs };
}

interface ReadAuthority {
  readonly certificate: X509Certificate;
  readonly publicKey: KeyObject;
  readonly facts: CertificateFacts;
}
const MAX_AUTHORITIES = 64;
const authorities = new Map<string, ReadAuthority>();
/** Which authorities signed a certificate: mathematics of bytes that do not change. Dates, kinds and trust are asked each time. */
const signedBy = new WeakMap<CertificateFacts, Set<ReadAuthority>>();

function checkSignature(options: CheckPeerOptions, facts: CertificateFacts, authority: AuthorityKind): void {
  const trusted = authority === 'host' ? options.hostCaPems : options.userCaPems;
  const uri = authorityUri(options.cluster, authority);
  for (const pem of trusted) {
    const ca = readAuthority(pem);
    // The authority's own name says which of the two it is: a list given in the other's place trusts nobody.
    if (!ca.facts.isCa || !ca.facts.uris.includes(uri)) continue;
    if (options.nowMs < ca.facts.notBeforeMs || options.nowMs >= ca.facts.notAfterMs) continue;
    if (isSignedBy(ca, facts, options)) return;
  }
  throw new PkiError('not_trusted', `the certificate was not signed by the ${authority} authority of ${options.cluster}`);
}

/** An authority is read once: with thousands of agents that come back at once, reading it took longer than their signatures. */
function readAuthority(pem: string): ReadAuthority {
  const known = authorities.get(pem);
  if (known !== undefined) return known;
  const certificate = readPem(pem);
  const read = { certificate, publicKey: certificate.publicKey, facts: readCertificate(certificate.raw) };
  if (authorities.size >= MAX_AUTHORITIES) for (const oldest of authorities.keys()) if (authorities.delete(oldest)) break;
  authorities.set(pem, read);
  return read;
}

function isSignedBy(ca: ReadAuthority, facts: CertificateFacts, { certificateDer, certificate }: CheckPeerOptions): boolean {
  const known = signedBy.get(facts);
  if (known?.has(ca) === true) return true;
  // To read it is as much work as to verify its signature.
  const leaf = certificate?.raw === certificateDer ? certificate : new X509Certificate(certificateDer);
  if (!leaf.checkIssued(ca.certificate) || !leaf.verify(ca.publicKey)) return false;
  if (known === undefined) signedBy.set(facts, new Set([ca]));
  else known.add(ca);
  return true;
}

function checkDates(facts: CertificateFacts, nowMs: number): void {
  if (nowMs < facts.notBeforeMs)
    throw new PkiError('not_yet_valid', 'the certificate is not valid yet: compare the clocks of both machines');
  if (!(nowMs < facts.notAfterMs)) throw new PkiError('expired', 'the certificate has expired: sign in again');
}
