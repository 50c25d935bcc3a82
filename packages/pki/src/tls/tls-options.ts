import { constants, X509Certificate } from 'node:crypto';
import type { ConnectionOptions, SecureContextOptions, TlsOptions } from 'node:tls';
import { limits } from '@postern/limits';
import { type CheckPeerOptions, checkPeer } from '#certificates/check-peer.ts';

/** What a program shows to prove itself. `chainPems` are sent after the certificate: auth sends its authority so that a pin can be checked. */
export interface IdentityMaterial {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly chainPems?: readonly string[];
}
export type HostIdentityMaterial = IdentityMaterial;

export const HANDSHAKE_TIMEOUT_MS = limits.handshakeMs;

/**
 * Common to both sides. Tickets are off because Node accepts a resumed session after the certificate has expired.
 * AES-GCM alone. X25519 before P-256, which a validated OpenSSL offers: a handshake between processes of OpenSSL 3.5 takes each side a seventh less.
 */
const protocol: SecureContextOptions = {
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
  secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
  ciphers: [
    'TLS_AES_128_GCM_SHA256',
    'TLS_AES_256_GCM_SHA384',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES128-GCM-SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES256-GCM-SHA384',
  ].join(':'),
  honorCipherOrder: true,
  ecdhCurve: 'X25519:P-256:P-384',
};

export interface ServerTlsOptions {
  readonly identity: HostIdentityMaterial;
  /** Whose certificates are asked for: host CAs, user CAs or both. checkPeer decides which one a peer may come from. */
  readonly clientCas: readonly string[];
  readonly requestCert: boolean;
  readonly rejectUnauthorized: boolean;
}

export function serverTlsOptions(options: ServerTlsOptions): TlsOptions {
  return {
    ...protocol,
    ...material(options.identity),
    ca: [...options.clientCas],
    requestCert: options.requestCert,
    rejectUnauthorized: options.rejectUnauthorized,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
  };
}

export interface ClientTlsOptions {
  readonly serverName: string;
  /** Which server is accepted; its clock is read at the handshake. */
  readonly expect: ServerExpectation;
  readonly identity?: IdentityMaterial;
  readonly alpnProtocols?: readonly string[];
}

export interface ServerExpectation extends Omit<CheckPeerOptions, 'certificateDer' | 'certificate' | 'nowMs' | 'userCaPems'> {
  readonly nowMs: () => number;
}

export function clientTlsOptions(options: ClientTlsOptions): ConnectionOptions {
  return {
    ...clientContextOptions(options.expect.hostCaPems, options.identity),
    servername: options.serverName,
    rejectUnauthorized: true,
    checkServerIdentity: serverIdentityCheck(options.expect),
    ...(options.alpnProtocols ? { ALPNProtocols: [...options.alpnProtocols] } : {}),
  };
}

/** For grpc-js: tls.createSecureContext(clientContextOptions(…)) and credentials.createFromSecureContext with the check below. */
export function clientContextOptions(hostCaPems: readonly string[], identity?: IdentityMaterial): SecureContextOptions {
  return { ...protocol, ca: [...hostCaPems], ...(identity ? material(identity) : {}) };
}

/** Stands in for the comparison of host names: a part of the cluster is known by its identity, not by where it was reached. */
export function serverIdentityCheck(expect: ServerExpectation): (host: string, certificate: { readonly raw: Buffer }) => Error | undefined {
  return (_host, certificate) => {
    try {
      checkPeer({
        ...expect,
        nowMs: expect.nowMs(),
        userCaPems: [],
        certificateDer: certificate.raw,
        ...(certificate instanceof X509Certificate && { certificate }),
      });
      return undefined;
    } catch (error) {
      return error instanceof Error ? error : new Error('the server could not be checked');
    }
  };
}

function material(identity: IdentityMaterial): SecureContextOptions {
  return { cert: [identity.certificatePem, ...(identity.chainPems ?? [])].join('\n'), key: identity.privateKeyPem };
}
