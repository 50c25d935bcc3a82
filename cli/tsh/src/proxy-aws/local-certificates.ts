import { createSecureContext, type SecureContext } from 'node:tls';
import { generateKey, type LocalAuthority, type LocalIssuer, openLocalAuthority } from '@postern/pki';

/** Buckets stand in host names: a program that walks over many must not fill the memory. */
const MAX_HOSTS = 256;

/** A certificate for exactly the host that is asked for, made when it first is. The leaves' key lives in this process alone. */
export class LocalCertificates {
  readonly #authority: LocalAuthority;
  readonly #key = generateKey();
  readonly #contexts = new Map<string, Promise<SecureContext>>();
  #issuer: Promise<LocalIssuer> | undefined;

  constructor(authority: LocalAuthority) {
    this.#authority = authority;
  }

  for(host: string): Promise<SecureContext> {
    const known = this.#contexts.get(host);
    if (known !== undefined) {
      // The one that was used last stays longest.
      this.#contexts.delete(host);
      this.#contexts.set(host, known);
      return known;
    }
    const made = this.#make(host);
    this.#contexts.set(host, made);
    made.catch(() => this.#contexts.delete(host));
    if (this.#contexts.size > MAX_HOSTS) for (const oldest of this.#contexts.keys()) if (this.#contexts.delete(oldest)) break;
    return made;
  }

  get size(): number {
    return this.#contexts.size;
  }

  async #make(host: string): Promise<SecureContext> {
    this.#issuer ??= openLocalAuthority(this.#authority);
    const issuer = await this.#issuer;
    const leaf = await issuer.issue({ host, publicKey: this.#key.publicKeyDer, nowMs: Date.now() });
    return createSecureContext({ cert: leaf, key: this.#key.privateKeyPem, minVersion: 'TLSv1.2' });
  }
}
