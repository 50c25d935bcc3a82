import { createHash, type X509Certificate } from 'node:crypto';
import { type Caller, Identity_Kind, type CallOrigin } from '@postern/api';
import { type Peer, verifyPeer } from '@postern/pki';
import { peerOf } from '@postern/tunnel';
import type { Authorities } from '#authorities/authorities.ts';

const allKinds = [
  Identity_Kind.USER,
  Identity_Kind.SESSION,
  Identity_Kind.DB_AGENT,
  Identity_Kind.APP_AGENT,
  Identity_Kind.PROXY,
  Identity_Kind.AUTH,
  Identity_Kind.ADMIN,
];
/** A kB each. With fewer than there are agents each call would find that its own has just been forgotten. */
const MAX_KNOWN = 16_384;

/** Turns the certificate that TLS verified into a caller. TLS knows one list of authorities; which of the two signed is checked here. */
export class Callers {
  readonly #authorities: Authorities;
  readonly #nowMs: () => number;
  /** By hash of the certificate: checking a signature for every call would cost more than most calls. */
  readonly #known = new Map<string, Peer>();

  constructor(options: { readonly authorities: Authorities; readonly nowMs: () => number }) {
    this.#authorities = options.authorities;
    this.#nowMs = options.nowMs;
  }

  /** Throws where a certificate was sent and is not one of ours; expiry is checked again for each call by whoever asks. */
  identify(call: CallOrigin): Caller {
    const { certificateDer, remoteAddress } = peerOf(call);
    if (certificateDer === undefined) return { kind: 'anonymous', address: remoteAddress };
    return { kind: 'identified', address: remoteAddress, ...this.check(certificateDer) };
  }

  /** `certificate` where Node has read the same bytes already. */
  check(certificateDer: Buffer, certificate?: X509Certificate): Peer {
    const hash = createHash('sha256').update(certificateDer).digest('base64');
    const known = this.#known.get(hash);
    if (known !== undefined) return known;
    const peer = verifyPeer({
      certificateDer,
      certificate,
      cluster: this.#authorities.cluster,
      kinds: allKinds,
      hostCaPems: this.#authorities.trustedPems('host'),
      userCaPems: this.#authorities.trustedPems('user'),
      nowMs: this.#nowMs(),
    });
    this.#known.set(hash, peer);
    if (this.#known.size > MAX_KNOWN) {
      const oldest = this.#known.keys().next();
      if (oldest.done === false) this.#known.delete(oldest.value);
    }
    return peer;
  }
}
