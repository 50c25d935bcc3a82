import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { must } from '#processes.ts';

/** A company's own authority and its certificate for localhost, made by OpenSSL: web-ca.pem, web-key.pem, web-cert.pem. */
export async function makeWebCertificate(dir: string): Promise<void> {
  const at = (name: string) => join(dir, name);
  const openssl = (...args: readonly string[]) => must(['openssl', ...args]);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  await openssl('req', '-x509', ...key, '-keyout', at('web-ca-key.pem'), '-out', at('web-ca.pem'), '-subj', '/CN=Company web CA');
  await openssl('req', ...key, '-keyout', at('web-key.pem'), '-out', at('web.csr'), '-subj', '/CN=localhost');
  writeFileSync(at('san'), 'subjectAltName=DNS:localhost');
  const signer = ['-CA', at('web-ca.pem'), '-CAkey', at('web-ca-key.pem'), '-CAcreateserial', '-days', '2', '-extfile', at('san')];
  await openssl('x509', '-req', '-in', at('web.csr'), ...signer, '-out', at('web-cert.pem'));
}
