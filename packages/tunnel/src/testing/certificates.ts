import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TestAuthority {
  readonly caPem: string;
  issue(name: string): { readonly cert: string; readonly key: string };
}

/** A throw-away CA made by openssl, an implementation that shares nothing with ours. */
export function testAuthority(): TestAuthority {
  const dir = mkdtempSync(join(tmpdir(), 'postern-ca-'));
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
  const newKey = (file: string) => openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', file);
  newKey('ca.key');
  openssl('req', '-x509', '-new', '-key', 'ca.key', '-subj', '/CN=test ca', '-days', '2', '-out', 'ca.pem');
  process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
  return {
    caPem: readFileSync(join(dir, 'ca.pem'), 'utf8'),
    issue(name) {
      const file = name.replaceAll(/[^a-z0-9]/g, '_');
      newKey(`${file}.key`);
      openssl('req', '-new', '-key', `${file}.key`, '-subj', `/CN=${name}`, '-out', `${file}.csr`);
      writeFileSync(join(dir, `${file}.ext`), `subjectAltName=DNS:${name},DNS:localhost\n`);
      const request = ['x509', '-req', '-in', `${file}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2'];
      openssl(...request, '-extfile', `${file}.ext`, '-out', `${file}.pem`);
      return { cert: readFileSync(join(dir, `${file}.pem`), 'utf8'), key: readFileSync(join(dir, `${file}.key`), 'utf8') };
    },
  };
}
