import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';

const made = new WeakMap<SecureContextOptions, SecureContext>();

/**
 * Reading certificates and a key takes longer than a handshake, and whoever lost a proxy dials again and again: it is done once for
 * each object of options, which is not to be changed afterwards.
 */
export function secureContextOf(options: SecureContextOptions): SecureContext {
  const known = made.get(options);
  if (known !== undefined) return known;
  const context = createSecureContext(options);
  made.set(options, context);
  return context;
}
