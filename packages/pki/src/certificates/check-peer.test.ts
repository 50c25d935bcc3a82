import { execFileSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Identity, Identity_Kind } from '@postern/api/identity';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Authority, createAuthority } from '#certificates/authority.ts';
import { type CheckPeerOptions, checkPeer, verifyPeer } from '#certificates/check-peer.ts';
import { issueCertificate } from '#certificates/issue-certificate.ts';
import { generateKey } from '#certificates/keys.ts';
import { readCertificate } from '#certificates/read-certificate.ts';
import { PkiError } from '#pki-error.ts';
import { agent, CLUSTER, HOUR_MS, identity, session } from '#testing/identities.ts';
import { hasOpenssl } from '#testing/openssl.ts';

/** Half an hour ahead: openssl dates what it forges by the machine's clock. */
const NOW_MS = Math.floor(Date.now() / 1000) * 1000 + 1_800_000;
const { USER, SESSION, DB_AGENT, APP_AGENT, PROXY, AUTH, ADMIN } = Identity_Kind;
const everyKind = [USER, SESSION, DB_AGENT, APP_AGENT, PROXY, AUTH, ADMIN];
const key = generateKey();
let user: Authority;
let host: Authority;
let twinUser: Authority;
let twinHost: Authority;
let dir = '';

beforeAll(async () => {
  user = await createAuthority({ kind: 'user', cluster: CLUSTER, nowMs: NOW_MS - HOUR_MS });
  host = await createAuthority({ kind: 'host', cluster: CLUSTER, nowMs: NOW_MS - HOUR_MS });
  // Another cluster that gave itself the same name.
  twinUser = await createAuthority({ kind: 'user', cluster: CLUSTER, nowMs: NOW_MS });
  twinHost = await createAuthority({ kind: 'host', cluster: CLUSTER, nowMs: NOW_MS });
  dir = mkdtempSync(join(tmpdir(), 'pki-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const issue = async (authority: Authority, who: Identity, over: { notAfterMs?: number; nowMs?: number } = {}) =>
  (await issueCertificate({ authority, identity: who, publicKey: key.publicKeyDer, nowMs: NOW_MS, notAfterMs: NOW_MS + HOUR_MS, ...over }))
    .certificateDer;

const check = (certificateDer: Buffer, over: Partial<CheckPeerOptions> = {}) =>
  checkPeer({
    certificateDer,
    cluster: CLUSTER,
    kinds: everyKind,
    hostCaPems: [host.certificatePem],
    userCaPems: [user.certificatePem],
    nowMs: NOW_MS,
    ...over,
  });

function reasonOf(attempt: () => unknown): string {
  try {
    attempt();
  } catch (error) {
    expect(error).toBeInstanceOf(PkiError);
    return (error as PkiError).reason;
  }
  return 'accepted';
}

describe('a peer is who his certificate says', () => {
  it('where the right authority signed it, for this cluster, now', async () => {
    expect(check(await issue(user, identity()))).toEqual(identity());
    expect(check(await issue(user, session()))).toEqual(session());
    expect(check(await issue(host, agent()))).toEqual(agent());
  });

  it('with serial and end beside the identity', async () => {
    const certificateDer = await issue(user, identity());
    const peer = verifyPeer({
      certificateDer,
      cluster: CLUSTER,
      kinds: [USER],
      hostCaPems: [],
      userCaPems: [user.certificatePem],
      nowMs: NOW_MS,
    });
    expect(peer).toEqual({ identity: identity(), serial: readCertificate(certificateDer).serial, notAfterMs: NOW_MS + HOUR_MS });
  });

  it('while an old and a new authority are both trusted', async () => {
    const both = [twinUser.certificatePem, user.certificatePem];
    expect(check(await issue(user, identity()), { userCaPems: both })).toEqual(identity());
    expect(check(await issue(twinUser, identity()), { userCaPems: both })).toEqual(identity());
  });
});

describe('a peer is refused', () => {
  const refusals: readonly (readonly [string, () => Promise<Buffer>, string, Partial<CheckPeerOptions>?])[] = [
    ['whose certificate another cluster of the same name signed', () => issue(twinUser, identity()), 'not_trusted'],
    ['whose host certificate another cluster of the same name signed', () => issue(twinHost, agent()), 'not_trusted'],
    ['at the moment it expires', () => issue(user, identity(), { notAfterMs: NOW_MS + 1000 }), 'expired', { nowMs: NOW_MS + 1000 }],
    ['before it is valid', () => issue(user, identity(), { nowMs: NOW_MS + HOUR_MS, notAfterMs: NOW_MS + 2 * HOUR_MS }), 'not_yet_valid'],
    ['of a kind that is not welcome', () => issue(user, identity()), 'wrong_kind', { kinds: [SESSION] }],
    ['of any kind where none is welcome', () => issue(user, identity()), 'wrong_kind', { kinds: [] }],
    ['with a name that is not welcome', () => issue(host, agent()), 'wrong_name', { names: ['another-agent'] }],
    ['with any name where none is welcome', () => issue(host, agent()), 'wrong_name', { names: [] }],
    ['of another cluster', () => issue(user, identity()), 'wrong_cluster', { cluster: 'other.internal' }],
    ['where no authority is trusted', () => issue(user, identity()), 'not_trusted', { userCaPems: [] }],
  ];
  for (const [what, certificate, reason, over] of refusals) {
    it(what, async () => {
      const certificateDer = await certificate();
      expect(reasonOf(() => check(certificateDer, over))).toBe(reason);
    });
  }

  it('with a host certificate where the lists were given in each other’s place', async () => {
    const lists = { hostCaPems: [user.certificatePem], userCaPems: [host.certificatePem] };
    const [ofUser, ofHost] = [await issue(user, identity()), await issue(host, agent())];
    expect(reasonOf(() => check(ofUser, lists))).toBe('not_trusted');
    expect(reasonOf(() => check(ofHost, lists))).toBe('not_trusted');
  });

  it('where another’s certificate is given as what was read of it', async () => {
    const [genuine, forged] = [await issue(user, identity()), await issue(twinUser, identity())];
    const asRead = new X509Certificate(genuine);
    expect(check(asRead.raw, { certificate: asRead })).toEqual(identity());
    expect(reasonOf(() => check(forged, { certificate: asRead }))).toBe('not_trusted');
  });

  it('with the authority’s own certificate', () => {
    expect(reasonOf(() => check(new X509Certificate(host.certificatePem).raw))).toBe('is_ca');
    expect(reasonOf(() => check(new X509Certificate(user.certificatePem).raw))).toBe('is_ca');
  });

  it('once the authority itself has expired', async () => {
    const certificateDer = await issue(user, identity());
    const past = await createAuthority({ kind: 'user', cluster: CLUSTER, nowMs: NOW_MS - 11 * 365 * 24 * HOUR_MS });
    expect(reasonOf(() => check(certificateDer, { userCaPems: [past.certificatePem] }))).toBe('not_trusted');
  });
});

/** Certificates made by openssl, which signs whatever it is told to. */
describe.runIf(hasOpenssl)('a forged twin is refused', () => {
  const config = (rest: string) => `[req]\ndistinguished_name=dn\nprompt=no\n[dn]\nCN=alice\n[ext]\n${rest}\n`;
  const extension = (der: Buffer) => {
    const marker = Buffer.from('69bd9592eceec420', 'hex');
    const at = der.indexOf(marker) + marker.length;
    // OCTET STRING with a short or a one-byte long length.
    const [, length = 0, long = 0] = der.subarray(at);
    return length < 0x80 ? der.subarray(at + 2, at + 2 + length) : der.subarray(at + 3, at + 3 + long);
  };
  const forge = async (options: { subject: Identity; ext?: string; by?: { cert: string; key: string } }) => {
    const genuine = await issue(options.subject.kind === USER ? user : host, options.subject);
    const lines = [
      'basicConstraints=critical,CA:FALSE',
      'extendedKeyUsage=clientAuth',
      `subjectAltName=URI:spiffe://${CLUSTER}/user/alice`,
      `2.25.269007451824672=DER:${extension(genuine).toString('hex')}`,
    ];
    const [cnf, out, keyFile] = [join(dir, 'c.cnf'), join(dir, 'c.pem'), join(dir, 'c.key')];
    writeFileSync(cnf, config(options.ext ?? lines.join('\n')));
    writeFileSync(keyFile, key.privateKeyPem);
    const signer: string[] = [];
    if (options.by) {
      writeFileSync(join(dir, 'ca.pem'), options.by.cert);
      writeFileSync(join(dir, 'ca.key'), options.by.key);
      signer.push('-CA', join(dir, 'ca.pem'), '-CAkey', join(dir, 'ca.key'));
    }
    execFileSync(
      'openssl',
      ['req', '-x509', '-new', '-sha256', '-key', keyFile, '-config', cnf, '-extensions', 'ext', '-days', '1', ...signer, '-out', out],
      { stdio: 'pipe' },
    );
    return new X509Certificate(readFileSync(out)).raw;
  };
  const pemOf = (der: Buffer) => new X509Certificate(der).toString();
  const pkcs8 = (authority: Authority) => authority.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

  it('openssl reads our extension as this test does', async () => {
    const forged = await forge({ subject: identity(), by: { cert: user.certificatePem, key: pkcs8(user) } });
    expect(check(forged)).toEqual(identity());
  });

  it('that signed itself', async () => {
    const forged = await forge({ subject: identity() });
    expect(reasonOf(() => check(forged))).toBe('not_trusted');
  });

  it('that a leaf signed as if it were an authority', async () => {
    const leaf = await issue(user, identity({ name: 'mallory' }));
    const forged = await forge({ subject: identity(), by: { cert: pemOf(leaf), key: key.privateKeyPem } });
    expect(reasonOf(() => check(forged))).toBe('not_trusted');
    // Even where somebody put the leaf among the authorities.
    expect(reasonOf(() => check(forged, { userCaPems: [pemOf(leaf), user.certificatePem] }))).toBe('not_trusted');
  });

  it('that the host authority signed for a user: a stolen auth key of one kind does not make the other', async () => {
    const forged = await forge({ subject: identity(), by: { cert: host.certificatePem, key: pkcs8(host) } });
    expect(reasonOf(() => check(forged))).toBe('not_trusted');
  });

  it.each([
    ['no extended key usage', ['extendedKeyUsage=clientAuth'], '', 'wrong_usage'],
    ['server usage on a user', ['extendedKeyUsage=clientAuth'], 'extendedKeyUsage=clientAuth,serverAuth', 'wrong_usage'],
    ['a usage for anything', ['extendedKeyUsage=clientAuth'], 'extendedKeyUsage=clientAuth,anyExtendedKeyUsage', 'wrong_usage'],
    ['a CA flag', ['basicConstraints=critical,CA:FALSE'], 'basicConstraints=critical,CA:TRUE', 'is_ca'],
    [
      'the name of another in its URI',
      [`subjectAltName=URI:spiffe://${CLUSTER}/user/alice`],
      `subjectAltName=URI:spiffe://${CLUSTER}/user/root`,
      'malformed',
    ],
    [
      'two URIs',
      [`subjectAltName=URI:spiffe://${CLUSTER}/user/alice`],
      `subjectAltName=URI:spiffe://${CLUSTER}/user/alice,URI:spiffe://${CLUSTER}/user/root`,
      'malformed',
    ],
    ['no URI', [`subjectAltName=URI:spiffe://${CLUSTER}/user/alice`], 'subjectAltName=DNS:alice', 'malformed'],
    ['no identity', [/^2\.25.*$/m], '', 'no_identity'],
    ['an identity that is no protobuf', [/^2\.25.*$/m], '2.25.269007451824672=DER:0affffffff', 'malformed'],
  ] as const)('signed by the right key, but with %s', async (_what, [replaced], by, reason) => {
    const genuine = await issue(user, identity());
    const lines = [
      'basicConstraints=critical,CA:FALSE',
      'extendedKeyUsage=clientAuth',
      `subjectAltName=URI:spiffe://${CLUSTER}/user/alice`,
      `2.25.269007451824672=DER:${extension(genuine).toString('hex')}`,
    ].join('\n');
    const forged = await forge({
      subject: identity(),
      ext: lines.replace(replaced, by),
      by: { cert: user.certificatePem, key: pkcs8(user) },
    });
    expect(reasonOf(() => check(forged))).toBe(reason);
  });

  it('with a subject that says more than the identity does: the subject is never read', async () => {
    const forged = await forge({ subject: identity({ roles: [] }), by: { cert: user.certificatePem, key: pkcs8(user) } });
    expect(new X509Certificate(forged).subject).toContain('alice');
    expect(check(forged).roles).toEqual([]);
  });

  it('keys stay what they are: the test’s own key is on P-256', () => {
    expect(createPrivateKey(key.privateKeyPem).asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
  });
});

describe('bytes that are not a certificate', () => {
  it('one flipped, removed or added byte is never another identity', async () => {
    const genuine = await issue(user, identity());
    fc.assert(
      fc.property(
        fc.nat(genuine.length - 1),
        fc.integer({ min: 1, max: 255 }),
        fc.constantFrom('flip', 'cut', 'insert'),
        (at, value, how) => {
          const mangled = Buffer.from(genuine);
          if (how === 'flip') mangled[at] = (mangled[at] ?? 0) ^ value;
          const bytes =
            how === 'cut'
              ? Buffer.concat([mangled.subarray(0, at), mangled.subarray(at + 1)])
              : how === 'insert'
                ? Buffer.concat([mangled.subarray(0, at), Buffer.from([value]), mangled.subarray(at)])
                : mangled;
          expect(() => check(bytes)).toThrow();
        },
      ),
      { numRuns: 800 },
    );
  });

  it('any bytes are refused as malformed, at once', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        expect(reasonOf(() => readCertificate(Buffer.from(bytes)))).toBe('malformed');
      }),
      { numRuns: 3000 },
    );
    expect(reasonOf(() => readCertificate(Buffer.alloc(1024 * 1024, 0x30)))).toBe('malformed');
  });
});
