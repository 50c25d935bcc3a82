import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadWebCertificates } from '#web-certificate/load-web-certificates.ts';
import { selfSignedCertificate } from '#web-certificate/self-signed.ts';

const DAY_MS = 86_400_000;
let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'postern-web-'));
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));
const load = (options: Partial<Parameters<typeof loadWebCertificates>[0]> = {}) =>
  loadWebCertificates({ keypairs: [], dataDir, names: ['proxy.example', '127.0.0.1'], nowMs: Date.now(), ...options });

describe('the web certificate', () => {
  it('is one that OpenSSL verifies for each of its names, and for no other', () => {
    const { certPem } = selfSignedCertificate({ names: ['proxy.example', '127.0.0.1', '2001:db8::7'], nowMs: Date.now() });
    const file = join(dataDir, 'c.pem');
    writeFileSync(file, certPem);
    const verify = (...args: string[]) =>
      execFileSync('openssl', ['verify', '-x509_strict', '-CAfile', file, ...args, file], { stdio: 'pipe' }).toString();
    expect(verify('-verify_hostname', 'proxy.example')).toContain('OK');
    expect(verify('-verify_ip', '127.0.0.1')).toContain('OK');
    expect(verify('-verify_ip', '2001:db8::7')).toContain('OK');
    expect(() => verify('-verify_hostname', 'other.example')).toThrow();
    expect(new X509Certificate(certPem).ca).toBe(false);
  });

  it('is made once, kept with its key for the owner alone, and made again when it ends soon or the name changes', async () => {
    const first = await load();
    expect(first.selfSigned).toBe(true);
    expect(statSync(join(dataDir, 'web.key')).mode & 0o777).toBe(0o600);
    expect((await load()).pairs).toEqual(first.pairs);
    expect((await load({ nowMs: Date.now() + 380 * DAY_MS })).pairs).not.toEqual(first.pairs);
    expect((await load({ names: ['another.example'] })).pairs[0]?.certPem).not.toBe(first.pairs[0]?.certPem);
  });

  it('comes from the configured files, and each fault of theirs is named', async () => {
    const [one, two] = [
      selfSignedCertificate({ names: ['a'], nowMs: Date.now() }),
      selfSignedCertificate({ names: ['b'], nowMs: Date.now() }),
    ];
    const file = (name: string, text: string) => {
      writeFileSync(join(dataDir, name), text);
      return join(dataDir, name);
    };
    const certFile = file('a.crt', one.certPem);
    expect(await load({ keypairs: [{ certFile, keyFile: file('a.key', one.keyPem) }] })).toEqual({ pairs: [one], selfSigned: false });
    await expect(load({ keypairs: [{ certFile, keyFile: file('b.key', two.keyPem) }] })).rejects.toThrow(
      /b\.key is not the key of .*a\.crt/,
    );
    await expect(load({ keypairs: [{ certFile, keyFile: file('c.key', 'nonsense') }] })).rejects.toThrow(
      /c\.key does not hold a private key/,
    );
    await expect(load({ keypairs: [{ certFile: join(dataDir, 'none.crt'), keyFile: certFile }] })).rejects.toThrow(
      /none\.crt cannot be read/,
    );
  });
});
