// @peculiar/x509 is loaded by createAuthority and issueCertificate when they are first called; everything else here
// loads in a few milliseconds.
export { type Authority, authorityKeyPem, createAuthority, loadAuthority, readAuthority } from '#certificates/authority.ts';
export { type CheckPeerOptions, checkPeer, type Peer, verifyPeer } from '#certificates/check-peer.ts';
export { identityOid } from '#certificates/identity-extension.ts';
export type { AuthorityKind } from '#certificates/identity-rules.ts';
export { type Issued, type IssueOptions, issueCertificate } from '#certificates/issue-certificate.ts';
export {
  type CreateLocalAuthorityOptions,
  createLocalAuthority,
  type LocalAuthority,
  type LocalIssuer,
  openLocalAuthority,
} from '#certificates/local-authority.ts';
export { caPin, certificateDerOf, type GeneratedKey, generateKey, isPin, matchesPin, readPublicKey } from '#certificates/keys.ts';
export { type CertificateFacts, identityOf, readCertificate } from '#certificates/read-certificate.ts';
export { PkiError, type PkiReason } from '#pki-error.ts';
export { networkOf } from '#routing/network-of.ts';
export { MAX_PROXY_HEADER_BYTES, type ProxyHeader, proxyHeader, readProxyHeader } from '#routing/proxy-header.ts';
export { RESOURCE_ID_BYTES, resourceId } from '#routing/resource-id.ts';
export { makeTicket, readTicket, type Ticket, TICKET_LENGTH } from '#routing/ticket.ts';
export {
  type ClientTlsOptions,
  clientContextOptions,
  clientTlsOptions,
  HANDSHAKE_TIMEOUT_MS,
  type HostIdentityMaterial,
  type IdentityMaterial,
  type ServerExpectation,
  serverIdentityCheck,
  type ServerTlsOptions,
  serverTlsOptions,
} from '#tls/tls-options.ts';
