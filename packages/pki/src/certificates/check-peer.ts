import { X509Certificate } from 'node:crypto';
import type { Identity, Identity_Kind } from '@postern/api/identity';
import { type AuthorityKind, authorityUri, rulesOf } from '#certificates/identity-rules.ts';
import { readPem } from '#certificates/keys.ts';
import { type CertificateFacts, readCertificate } from '#certificates/read-certificate.ts';
import { PkiError } from '#pki-error.ts';

export interface CheckPeerOptions {
  readonly certificateDer: Buffer;
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
  checkSignature(options, rules.authority);
  checkDates(facts, options.nowMs);
  if (!options.kinds.includes(identity.kind)) throw new PkiError('wrong_kind', 'a certificate of this kind is not accepted here');
  if (options.names && !options.names.includes(identity.name))
    throw new PkiError('wrong_name', `the certificate of ${identity.name} is not accepted here`);
  return { identity, serial: facts.serial, notAfterMs: facts.notAfterMs };
}

function checkSignature(options: CheckPeerOptions, authority: AuthorityKind): void {
  const leaf = new X509Certificate(options.certificateDer);
  const trusted = authority === 'host' ? options.hostCaPems : options.userCaPems;
  const uri = authorityUri(options.cluster, authority);
  for (const pem of trusted) {
    const ca = readPem(pem);
    const facts = readCertificate(ca.raw);
    // The authority's own name says which of the two it is: a list given in the other's place trusts nobody.
    if (!facts.isCa || !facts.uris.includes(uri) || options.nowMs < facts.notBeforeMs || options.nowMs >= facts.notAfterMs) continue;
    if (leaf.checkIssued(ca) && leaf.verify(ca.publicKey)) return;
  }
  throw new PkiError('not_trusted', `the certificate was not signed by the ${authority} authority of ${options.cluster}`);
}

function checkDates(facts: CertificateFacts, nowMs: number): void {
  if (nowMs < facts.notBeforeMs)
    throw new PkiError('not_yet_valid', 'the certificate is not valid yet: compare the clocks of both machines');
  if (!(nowMs < facts.notAfterMs)) throw new PkiError('expired', 'the certificate has expired: sign in again');
}
