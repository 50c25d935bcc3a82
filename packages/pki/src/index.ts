// The whole surface:
//   createAuthority({kind: 'host' | 'user', cluster, nowMs}): Promise<Authority>      P-256, self-signed, 10 years; {kind, certificatePem, privateKey: KeyObject}
//   issueCertificate({authority, identity: Identity, publicKey: Buffer (SPKI DER, P-256 or refused), notAfterMs, nowMs, dnsNames?}): Promise<Issued>
//        {certificatePem, certificateDer, serial, notBeforeMs, notAfterMs}; backdated 60 s; EKU clientAuth for USER/SESSION/ADMIN, client+server for hosts;
//        SPIFFE URI SAN spiffe://CLUSTER/{user|agent|proxy|auth}/NAME; the Identity extension (OID under 2.25, critical=false, protobuf)
//   identityOf(certificateDer: Buffer): Identity      structural; throws PkiError where absent or malformed; a per-DER LRU cache is welcome
//   generateKey(): {privateKey: KeyObject, publicKeyDer: Buffer, privateKeyPem: string}
//   caPin(certificatePem): "sha256:<hex of SHA-256 of the SPKI>";  matchesPin(pin, pems): string | undefined (the pem)
//   serverTlsOptions({identity: HostIdentityMaterial, clientCas: string[], requestCert, rejectUnauthorized}), clientTlsOptions({...}):
//        TLS 1.3 preferred, 1.2 minimum, SSL_OP_NO_TICKET, AES-GCM first, handshakeTimeout 10 s
//   checkPeer({certificateDer, cluster, kinds, names?, nowMs}): Identity   cluster, kind, EKU, dates, not a CA: throws PkiError
//   makeTicket({resourceId: Buffer(8), expiresMs, key}): string (58 chars, base32 lower-case, no padding)
//   readTicket({ticket, keys, nowMs}): {resourceId, expiresMs} | undefined      HMAC-SHA-256/128, constant time
//   resourceId(kind, name): Buffer(8)  first 8 bytes of SHA-256 of "kind/name"
//   proxyHeader({clientAddress, clientPort, key}): Buffer; readProxyHeader(...)     PROXY protocol v2 with an HMAC TLV
export {};
