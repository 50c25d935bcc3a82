import { readFileSync } from 'node:fs';
import { getCACertificates } from 'node:tls';
import { PosternError } from '@postern/api/errors';

export interface WebRootsEnv {
  readonly SSL_CERT_FILE?: string | undefined;
}

/**
 * Whom a proxy's web certificate may come from: Node's own list with NODE_EXTRA_CA_CERTS, the system's, and the file that
 * SSL_CERT_FILE names, as curl and Go programs read it. The only place in this package that looks at the environment.
 */
export function webRoots(env: WebRootsEnv = process.env): string[] {
  const { SSL_CERT_FILE: file } = env;
  return [...getCACertificates('default'), ...getCACertificates('system'), ...(file ? readRoots(file) : [])];
}

function readRoots(file: string): string[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new PosternError('bad_request', `SSL_CERT_FILE names ${file}, which cannot be read`, { cause });
  }
  const pems = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  if (!pems) throw new PosternError('bad_request', `SSL_CERT_FILE names ${file}, which holds no certificate`);
  return pems;
}
