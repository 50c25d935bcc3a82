import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateKey } from '#certificates/keys.ts';
import { createLocalAuthority, type LocalAuthority, openLocalAuthority } from '#certificates/local-authority.ts';
import { hasOpenssl } from '#testing/openssl.ts';

const HOUR_MS = 3_600_000;
const nowMs = Date.now();
let dir: string;
let authority: LocalAuthority;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'postern-local-ca-'));
  authority = await createLocalAuthority({
    name: 'aws of alice',
    domains: ['amazonaws.com', 'api.aws'],
    notAfterMs: nowMs + HOUR_MS,
    nowMs,
  });
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function leafFor(host: string): Promise<string> {
  const issuer = await openLocalAuthority(authority);
  return issuer.issue({ host, publicKey: generateKey().publicKeyDer, nowMs });
}

/** What an independent verifier says of a leaf, for a client that connects to `host`. */
function verdict(leafPem: string, host: string): string {
  writeFileSync(join(dir, 'ca.pem'), authority.certificatePem);
  writeFileSync(join(dir, 'leaf.pem'), leafPem);
  const args = ['verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile', join(dir, 'ca.pem'), '-verify_hostname', host];
  try {
    return execFileSync('openssl', [...args, join(dir, 'leaf.pem')], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    return (error as { stderr: string }).stderr;
  }
}

describe('a local authority', () => {
  it.runIf(hasOpenssl).each(['s3.us-east-1.amazonaws.com', 'amazonaws.com', 'my.bucket.s3.amazonaws.com', 'sts.eu-west-1.api.aws'])(
    'signs for %s below its domains, and openssl takes it under strict rules',
    async (host) => expect(verdict(await leafFor(host), host)).toContain('OK'),
  );

  it.runIf(hasOpenssl).each(['login.example.com', 'evilamazonaws.com', 'amazonaws.com.evil.example'])(
    'whose key is stolen is of no use for %s: every verifier holds the constraint against it',
    async (host) => expect(verdict(await leafFor(host), host)).toContain('permitted subtree violation'),
  );

  it.runIf(hasOpenssl)('is of no use as an authority above another, nor for a leaf of another host', async () => {
    expect(verdict(await leafFor('s3.amazonaws.com'), 'sts.amazonaws.com')).toMatch(/host ?name mismatch/i);
    const text = execFileSync('openssl', ['x509', '-noout', '-text'], { input: authority.certificatePem, encoding: 'utf8' });
    expect(text).toMatch(/Basic Constraints: critical\s+CA:TRUE, pathlen:0/);
    expect(text).toMatch(/Name Constraints: critical\s+Permitted:\s+DNS:amazonaws.com\s+DNS:api.aws\s+Excluded:\s+IP:0.0.0.0/);
  });

  it('ends when it is told to, and so does all that it signs', async () => {
    const ends = new X509Certificate(authority.certificatePem).validToDate;
    expect(ends.getTime()).toBe(Math.floor((nowMs + HOUR_MS) / 1000) * 1000);
    expect(new X509Certificate(await leafFor('s3.amazonaws.com')).validToDate).toEqual(ends);
  });

  it('has another key each time; a key of another is refused', async () => {
    const other = await createLocalAuthority({ name: 'aws of alice', domains: ['amazonaws.com'], notAfterMs: nowMs + HOUR_MS, nowMs });
    expect(other.privateKeyPem).not.toBe(authority.privateKeyPem);
    await expect(openLocalAuthority({ ...authority, privateKeyPem: other.privateKeyPem })).rejects.toThrow(/does not belong/);
  });

  it('needs a domain and an end to come', async () => {
    await expect(createLocalAuthority({ name: 'x', domains: [], notAfterMs: nowMs + 1, nowMs })).rejects.toThrow(/domains/);
    await expect(createLocalAuthority({ name: 'x', domains: ['a.b'], notAfterMs: nowMs, nowMs })).rejects.toThrow(/end to come/);
  });
});
