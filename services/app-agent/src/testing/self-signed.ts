import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A certificate of localhost that signs itself, made by openssl. */
export function selfSigned(): { readonly key: string; readonly cert: string } {
  const cwd = mkdtempSync(join(tmpdir(), 'postern-app-agent-tls-'));
  try {
    const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    const named = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-keyout', 'key.pem', '-out', 'cert.pem'];
    execFileSync('openssl', [...request, ...named], { cwd, stdio: 'pipe' });
    return { key: readFileSync(join(cwd, 'key.pem'), 'utf8'), cert: readFileSync(join(cwd, 'cert.pem'), 'utf8') };
  } finally {
    rmSync(cwd, { recursive: true });
  }
}
