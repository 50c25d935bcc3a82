/**
 * The one private extension. 2.25 is the arc that anyone may use with a number of his own (ITU-T X.667); this one was drawn at
 * random and is below 2^49, because asn1js writes larger arcs as nothing, without an error. The content is the protobuf
 * message postern.v1.Identity. It is not critical, so that ordinary tools still read the certificate.
 */
export const identityOid = '2.25.269007451824672';

/** The same in DER, content octets as hex: what a reader compares with. */
export const oidHex = {
  identity: '69bd9592eceec420',
  basicConstraints: '551d13',
  subjectAlternativeName: '551d11',
  extendedKeyUsage: '551d25',
  serverAuth: '2b06010505070301',
  clientAuth: '2b06010505070302',
} as const;

/** A certificate with more than this in its extension is refused on both sides: some 100 roles and long lists of traits fit. */
export const MAX_IDENTITY_BYTES = 32 * 1024;
