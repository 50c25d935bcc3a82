import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto';
import { Identity_Kind } from '@postern/api/identity';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Authority, authorityKeyPem, createAuthority, loadAuthority, readAuthority } from '#certificates/authority.ts';
import { type IssueOptions, issueCertificate } from '#certificates/issue-certificate.ts';
import { caPin, generateKey, matchesPin, publicKeyDerOf } from '#certificates/keys.ts';
import { identityOf, readCertificate } from '#certificates/read-certificate.ts';
import { PkiError } from '#pki-error.ts';
import { agent, CLUSTER, HOUR_MS, identity, NOW_MS, session } from '#testing/identities.ts';
import { hasOpenssl } from '#testing/openssl.ts';

let user: Authority;
let host: Authority;
const key = generateKey();
beforeAll(async () => {
  user = await createAuthority({ kind: 'user', cluster: CLUSTER, nowMs: NOW_MS });
  host = await createAuthority({ kind: 'host', cluster: CLUSTER, nowMs: NOW_MS });
});
const issue = (over: Partial<IssueOptions> = {}) =>
  issueCertificate({
    authority: user,
    identity: identity(),
    publicKey: key.publicKeyDer,
    nowMs: NOW_MS,
    notAfterMs: NOW_MS + 12 * HOUR_MS,
    ...over,
  });
const openssl = (args: readonly string[], input: string) =>
  execFileSync('openssl', [...args], { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] });

describe('a certificate', () => {
  it('carries the identity and comes back with it', async () => {
    const { certificateDer } = await issue();
    expect(identityOf(certificateDer)).toEqual(identity());
  });

  it('is dated back a minute and ends when it was asked to, in whole seconds', async () => {
    const issued = await issue({ notAfterMs: NOW_MS + HOUR_MS + 999 });
    expect(issued).toMatchObject({ notBeforeMs: NOW_MS - 60_000, notAfterMs: NOW_MS + HOUR_MS });
    expect(readCertificate(issued.certificateDer)).toMatchObject({
      notBeforeMs: issued.notBeforeMs,
      notAfterMs: issued.notAfterMs,
      serial: issued.serial,
    });
  });

  it.runIf(hasOpenssl)('reads the same to openssl', async () => {
    const { certificatePem, serial } = await issue({ identity: identity({ name: 'alice@example.com' }) });
    const text = openssl(['x509', '-noout', '-text', '-nameopt', 'RFC2253'], certificatePem);
    expect(text).toContain('Version: 3 (0x2)');
    expect(text.replaceAll(/[\s:]/g, '')).toContain(`SerialNumber${serial}`);
    expect(text).toContain('Not Before: Jun  1 11:59:00 2026 GMT');
    expect(text).toContain('Not After : Jun  2 00:00:00 2026 GMT');
    expect(text).toMatch(/Basic Constraints: critical\s+CA:FALSE/);
    expect(text).toMatch(/X509v3 Key Usage: critical\s+Digital Signature\n/);
    expect(text).toMatch(/Extended Key Usage:\s+TLS Web Client Authentication\n/);
    expect(text).toContain(`URI:spiffe://${CLUSTER}/user/alice%40example.com`);
    expect(text).toContain('2.25.269007451824672:');
  });

  it.each([
    ['user', () => ({ authority: user, identity: identity() }), 'clientAuth', 'user/alice'],
    ['session', () => ({ authority: user, identity: session() }), 'clientAuth', 'user/alice'],
    ['admin', () => ({ authority: user, identity: identity({ kind: Identity_Kind.ADMIN, name: 'admin' }) }), 'clientAuth', 'user/admin'],
    ['agent', () => ({ authority: host, identity: agent() }), 'both', 'agent/0d4f6a8e-agent'],
    ['proxy', () => ({ authority: host, identity: agent({ kind: Identity_Kind.PROXY, name: 'p1' }) }), 'both', 'proxy/p1'],
    ['auth', () => ({ authority: host, identity: agent({ kind: Identity_Kind.AUTH, name: 'a1' }) }), 'both', 'auth/a1'],
  ] as const)('of a %s has the usages and the name of its kind, and openssl verifies its chain', async (_kind, options, usage, room) => {
    const { authority, identity: who } = options();
    const { certificateDer, certificatePem } = await issue({ authority, identity: who, dnsNames: ['auth.postern.internal'] });
    const facts = readCertificate(certificateDer);
    expect(facts).toMatchObject({
      isCa: false,
      usages: { clientAuth: true, serverAuth: usage === 'both', other: false },
      uris: [`spiffe://${CLUSTER}/${room}`],
    });
    expect(new X509Certificate(certificateDer).subjectAltName).toContain('DNS:auth.postern.internal');
    const purpose = usage === 'both' ? 'sslserver' : 'sslclient';
    if (!hasOpenssl) return;
    // openssl reads several inputs from files only.
    const verdict = execFileSync(
      'bash',
      [
        '-c',
        `openssl verify -attime ${NOW_MS / 1000} -x509_strict -purpose ${purpose} -CAfile <(sed -n '/BEGIN/,$p' <<<"$ROOT") <(echo "$LEAF")`,
      ],
      {
        env: { ...process.env, ROOT: authority.certificatePem, LEAF: certificatePem },
        encoding: 'utf8',
      },
    );
    expect(verdict).toContain(': OK');
  });

  it.each(['# ', '#', '#0c0161', '\\#', 'a,CN=b', '"'])('takes the name %j for text', async (name) => {
    const { certificateDer } = await issue({ identity: identity({ name }) });
    expect(identityOf(certificateDer).name).toBe(name);
    expect(new X509Certificate(certificateDer).toLegacyObject().subject.CN).toBe(name);
  });

  it('holds the identity that was given, whatever names, roles and traits are in it', async () => {
    const word = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter((text) => text.isWellFormed());
    const trait = word.filter((text) => text !== '__proto__');
    await fc.assert(
      fc.asyncProperty(
        word,
        fc.array(word, { maxLength: 5 }),
        fc.dictionary(trait, fc.array(word, { maxLength: 3 }), { maxKeys: 4, noNullPrototype: true }),
        async (name, roles, traits) => {
          const who = identity({
            name,
            roles,
            traits: Object.fromEntries(Object.entries(traits).map(([key, values]) => [key, { values }])),
          });
          const { certificateDer } = await issue({ identity: who });
          expect(identityOf(certificateDer)).toEqual(who);
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe('the issuer refuses', () => {
  const reasonOf = async (attempt: Promise<unknown>) => {
    const error = await attempt.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(PkiError);
    return (error as PkiError).reason;
  };

  it.each([
    ['in the past', NOW_MS - 1],
    ['now', NOW_MS],
    ['never', Number.NaN],
    ['beyond every calendar', 1e308],
    ['at infinity', Number.POSITIVE_INFINITY],
    ['a negative time', -1],
    ['after the authority itself', NOW_MS + 20 * 365 * 24 * HOUR_MS],
  ])('an end %s', async (_when, notAfterMs) => {
    expect(await reasonOf(issue({ notAfterMs }))).toBe('bad_request');
  });

  it.each([
    ['a host from the user authority', () => ({ authority: user, identity: agent() }), 'bad_request'],
    ['a user from the host authority', () => ({ authority: host, identity: identity() }), 'bad_request'],
    ['an identity of another cluster', () => ({ identity: identity({ cluster: 'other.internal' }) }), 'wrong_cluster'],
    ['an unknown kind', () => ({ identity: identity({ kind: Identity_Kind.UNKNOWN }) }), 'wrong_kind'],
    ['a kind of a later version', () => ({ identity: identity({ kind: 42 as Identity_Kind }) }), 'wrong_kind'],
    ['a session without a route', () => ({ identity: session({ route: undefined }) }), 'bad_request'],
    [
      'a route in a user certificate',
      () => ({ identity: identity({ route: { resourceKind: 'db', resourceName: 'x', principal: 'y' } }) }),
      'bad_request',
    ],
    ['an empty name', () => ({ identity: identity({ name: '' }) }), 'bad_request'],
    ['a name of 257 characters', () => ({ identity: identity({ name: 'x'.repeat(257) }) }), 'bad_request'],
    ['a name that is no text', () => ({ identity: identity({ name: '\ud800' }) }), 'bad_request'],
    ['a cluster that would break out of its URI', () => ({ identity: identity({ cluster: 'a/user/root' }) }), 'bad_request'],
    [
      'a trait named __proto__',
      () => ({ identity: identity({ traits: Object.fromEntries([['__proto__', { values: ['x'] }]]) }) }),
      'bad_request',
    ],
    ['roles of a megabyte', () => ({ identity: identity({ roles: Array.from({ length: 1000 }, () => 'r'.repeat(1000)) }) }), 'bad_request'],
    ['10 000 DNS names', () => ({ dnsNames: Array.from({ length: 10_000 }, (_, i) => `h${i}.example.com`) }), 'bad_request'],
    ['a DNS name that is none', () => ({ dnsNames: ['a b'] }), 'bad_request'],
  ] as const)('%s', async (_what, over, reason) => {
    expect(await reasonOf(issue(over() as Partial<IssueOptions>))).toBe(reason);
  });

  const spki = (type: 'rsa' | 'ec' | 'ed25519', options: object) =>
    (generateKeyPairSync as (type: string, options: object) => { publicKey: { export(o: object): Buffer } })(
      type,
      options,
    ).publicKey.export({ type: 'spki', format: 'der' });

  it.each([
    ['RSA 1024', () => spki('rsa', { modulusLength: 1024 })],
    ['RSA 2048', () => spki('rsa', { modulusLength: 2048 })],
    ['P-384', () => spki('ec', { namedCurve: 'P-384' })],
    ['P-192', () => spki('ec', { namedCurve: 'prime192v1' })],
    ['secp256k1', () => spki('ec', { namedCurve: 'secp256k1' })],
    ['P-256 with its parameters written out', () => spki('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' })],
    ['Ed25519', () => spki('ed25519', {})],
    ["the authority's own key", () => publicKeyDerOf(user.privateKey)],
    [
      'a point that is not on the curve',
      () => Buffer.concat([key.publicKeyDer.subarray(0, 90), Buffer.from([key.publicKeyDer[90] === 1 ? 2 : 1])]),
    ],
    ['the point at infinity', () => Buffer.concat([key.publicKeyDer.subarray(0, 27), Buffer.alloc(64)])],
    ['a key with a byte after it', () => Buffer.concat([key.publicKeyDer, Buffer.from([0])])],
    ['nothing', () => Buffer.alloc(0)],
    ['a megabyte', () => randomBytes(1024 * 1024)],
  ])('the key %s, within 100 ms', async (_what, publicKey) => {
    const given = publicKey();
    const started = process.cpuUsage();
    expect(await reasonOf(issue({ publicKey: given }))).toBe('bad_key');
    expect(process.cpuUsage(started).user / 1000).toBeLessThan(100);
  });

  it('5000 keys of mangled DER, all within 100 ms each', async () => {
    let slowestMs = 0;
    await fc.assert(
      fc.asyncProperty(fc.nat(90), fc.integer({ min: 1, max: 255 }), fc.integer({ min: 0, max: 91 }), async (at, flip, cut) => {
        const mangled = Buffer.from(key.publicKeyDer.subarray(0, cut === 91 ? 91 : 91 - cut));
        if (at < mangled.length) mangled[at] = (mangled[at] ?? 0) ^ flip;
        // Processor time: the machine may be busy with something else.
        const started = process.cpuUsage();
        expect(await reasonOf(issue({ publicKey: mangled }))).toBe('bad_key');
        slowestMs = Math.max(slowestMs, process.cpuUsage(started).user / 1000);
      }),
      { numRuns: 5000 },
    );
    expect(slowestMs).toBeLessThan(100);
  });
});

describe('an authority', () => {
  it.runIf(hasOpenssl)('is a CA that signs leaves only, as openssl reads it', () => {
    const text = openssl(['x509', '-noout', '-text'], host.certificatePem);
    expect(text).toMatch(/Basic Constraints: critical\s+CA:TRUE, pathlen:0/);
    expect(text).toMatch(/Key Usage: critical\s+Certificate Sign, CRL Sign/);
    expect(readAuthority(host.certificatePem)).toEqual({ kind: 'host', cluster: CLUSTER });
  });

  it('goes to storage and comes back', async () => {
    const loaded = loadAuthority({
      kind: 'user',
      cluster: CLUSTER,
      certificatePem: user.certificatePem,
      privateKeyPem: Buffer.from(authorityKeyPem(user)),
    });
    const { certificateDer } = await issue({ authority: loaded });
    expect(new X509Certificate(certificateDer).verify(new X509Certificate(user.certificatePem).publicKey)).toBe(true);
  });

  it.each([
    [
      'the key of the other authority',
      () => ({ kind: 'user', certificatePem: user.certificatePem, privateKeyPem: authorityKeyPem(host) }),
      'bad_key',
    ],
    ['the other kind', () => ({ kind: 'user', certificatePem: host.certificatePem, privateKeyPem: authorityKeyPem(host) }), 'bad_request'],
    [
      'another cluster',
      () => ({ kind: 'user', cluster: 'other', certificatePem: user.certificatePem, privateKeyPem: authorityKeyPem(user) }),
      'bad_request',
    ],
    ['garbage for a key', () => ({ kind: 'user', certificatePem: user.certificatePem, privateKeyPem: 'canary' }), 'bad_key'],
    ['garbage for a certificate', () => ({ kind: 'user', certificatePem: 'garbage', privateKeyPem: authorityKeyPem(user) }), 'malformed'],
  ] as const)('is not loaded from %s', (_what, stored, reason) => {
    const attempt = () => loadAuthority({ cluster: CLUSTER, ...stored(), kind: 'user' });
    expect(attempt).toThrow(expect.objectContaining({ reason }));
    expect(attempt).not.toThrow(/canary/);
  });

  it('is not read from a leaf, nor made for a cluster that cannot be named', async () => {
    const { certificatePem } = await issue();
    expect(() => readAuthority(certificatePem)).toThrow('not an authority');
    await expect(createAuthority({ kind: 'host', cluster: 'a/b', nowMs: NOW_MS })).rejects.toThrow('cannot be the name of a cluster');
  });
});

describe('a pin', () => {
  it.runIf(hasOpenssl)('is what openssl computes from the public key', () => {
    const spkiHash = execFileSync(
      'bash',
      ['-c', 'openssl x509 -noout -pubkey | openssl pkey -pubin -outform der | openssl dgst -sha256 -r'],
      { input: host.certificatePem, encoding: 'utf8' },
    );
    expect(caPin(host.certificatePem)).toBe(`sha256:${spkiHash.slice(0, 64)}`);
  });

  it('finds its certificate among several, in either case, and nothing else', () => {
    const pems = [user.certificatePem, host.certificatePem];
    expect(matchesPin(caPin(host.certificatePem), pems)).toBe(host.certificatePem);
    expect(matchesPin(caPin(host.certificatePem).toUpperCase().replace('SHA256', 'sha256'), pems)).toBe(host.certificatePem);
    expect(matchesPin(`sha256:${'0'.repeat(64)}`, pems)).toBeUndefined();
    expect(matchesPin(caPin(host.certificatePem).slice(0, -1), pems)).toBeUndefined();
    expect(matchesPin('', pems)).toBeUndefined();
  });
});
