import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A certificate that signs itself for these names or addresses (`DNS:x`, `IP:127.0.0.1`), made by openssl. */
export function selfSigned(...names: readonly string[]): { readonly key: string; readonly cert: string } {
  const dir = mkdtempSync(join(tmpdir(), 'postern-http-'));
  try {
    const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    const named = ['-subj', '/CN=test', '-addext', `subjectAltName=${names.join(',')}`, '-keyout', 'key.pem', '-out', 'cert.pem'];
    execFileSync('openssl', [...request, ...named], { cwd: dir, stdio: 'pipe' });
    return { key: readFileSync(join(dir, 'key.pem'), 'utf8'), cert: readFileSync(join(dir, 'cert.pem'), 'utf8') };
  } finally {
    rmSync(dir, { recursive: true });
  }
}
