import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { caPin } from '@postern/pki';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { joinCluster } from '#join/join-cluster.ts';
import type { MemberMaterial } from '#member/host-material.ts';
import { loadMember, memberFile, saveMember } from '#member/stored-member.ts';
import { TestAuth, TOKEN } from '#testing/test-auth.ts';

let auth: TestAuth;
let material: MemberMaterial;
let dir = '';
beforeAll(async () => {
  auth = await TestAuth.start();
  const member = await joinCluster({
    authServer: auth.address,
    caPins: [caPin(auth.host.certificatePem)],
    token: TOKEN,
    role: 'db',
    nodeName: 'n',
    version: '0.1.0',
  });
  material = member.material();
  await member.stop();
});
afterAll(() => auth.stop());
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'member-'));
  return () => rmSync(dir, { recursive: true, force: true });
});

describe('a member’s identity on disk', () => {
  it('comes back as it was', () => {
    expect(loadMember(dir, 'db')).toBeUndefined();
    saveMember(dir, material);
    expect(loadMember(dir, 'db')).toEqual(material);
    expect(loadMember(dir, 'proxy')).toBeUndefined();
  });

  it.each([0o000, 0o077, 0o777])('is 0600 in a folder of 0700, whatever the umask (%o)', (mask) => {
    // A data_dir that is not there yet would be made by this very program; under mask 777 nothing at all can be made in it.
    const before = process.umask(mask === 0o777 ? 0o177 : mask);
    try {
      if (mask === 0o777) mkdirSync(join(dir, 'proc'), { mode: 0o700 });
      if (mask === 0o777) chmodSync(join(dir, 'proc'), 0o700);
      saveMember(dir, material);
    } finally {
      process.umask(before);
    }
    expect(statSync(join(dir, 'proc')).mode & 0o777).toBe(0o700);
    expect(statSync(memberFile(dir, 'db')).mode & 0o777).toBe(0o600);
  });

  it('is replaced whole: no temporary file stays, and a reader never sees half of one', () => {
    saveMember(dir, material);
    const before = lstatSync(memberFile(dir, 'db')).ino;
    saveMember(dir, material);
    expect(lstatSync(memberFile(dir, 'db')).ino).not.toBe(before);
    expect(readdirSync(join(dir, 'proc'))).toEqual(['db.json']);
  });

  it('does not follow a symbolic link, reading or writing', () => {
    saveMember(dir, material);
    const [path, elsewhere] = [memberFile(dir, 'db'), join(dir, 'elsewhere')];
    renameSync(path, elsewhere);
    symlinkSync(elsewhere, path);
    expect(() => loadMember(dir, 'db')).toThrow('is a symbolic link');
    const untouched = readFileSync(elsewhere, 'utf8');
    saveMember(dir, { ...material, hostId: material.hostId });
    expect(lstatSync(path).isSymbolicLink()).toBe(false);
    expect(readFileSync(elsewhere, 'utf8')).toBe(untouched);
  });

  it('is refused where others can read it or enter its folder, and the refusal says what to do', () => {
    saveMember(dir, material);
    const path = memberFile(dir, 'db');
    chmodSync(path, 0o640);
    expect(() => loadMember(dir, 'db')).toThrow(`chmod 600 ${path}`);
    chmodSync(path, 0o600);
    chmodSync(join(dir, 'proc'), 0o755);
    expect(() => loadMember(dir, 'db')).toThrow(`chmod 700 ${join(dir, 'proc')}`);
    expect(() => saveMember(dir, material)).toThrow(`chmod 700 ${join(dir, 'proc')}`);
  });

  it('is refused where its folder is a link to another', () => {
    mkdirSync(join(dir, 'real'), { mode: 0o700 });
    symlinkSync(join(dir, 'real'), join(dir, 'proc'));
    expect(() => saveMember(dir, material)).toThrow('is not a folder');
    expect(() => loadMember(dir, 'db')).toThrow('is not a folder');
  });

  it('is refused where it belongs to another user', () => {
    saveMember(dir, material);
    const { getuid } = process;
    process.getuid = () => (getuid?.() ?? 0) + 1;
    try {
      expect(() => loadMember(dir, 'db')).toThrow(/belongs to user \d+, and this program runs as/);
      expect(() => saveMember(dir, material)).toThrow(/belongs to user \d+/);
    } finally {
      if (getuid) process.getuid = getuid;
    }
  });

  const stored = () => JSON.parse(readFileSync(memberFile(dir, 'db'), 'utf8')) as Record<string, unknown>;
  it.each([
    ['nothing', () => ''],
    ['half a file', () => JSON.stringify(stored()).slice(0, 500)],
    ['another version', () => JSON.stringify({ ...stored(), format: 2 })],
    ['another role', () => JSON.stringify({ ...stored(), role: 'proxy' })],
    ['no key', () => JSON.stringify({ ...stored(), privateKeyPem: '' })],
    ['garbage for a key', () => JSON.stringify({ ...stored(), privateKeyPem: 'canary' })],
    ['another host', () => JSON.stringify({ ...stored(), hostId: 'x' })],
    ['another authority', () => JSON.stringify({ ...stored(), hostCaPems: [auth.user.certificatePem] })],
    ['a list', () => '[]'],
  ])('that holds %s is a clear error with the way out, not a new join', (_what, text) => {
    saveMember(dir, material);
    const garbage = text();
    writeFileSync(memberFile(dir, 'db'), garbage);
    const attempt = () => loadMember(dir, 'db');
    expect(attempt).toThrow(`${memberFile(dir, 'db')} is damaged`);
    expect(attempt).toThrow('tctl tokens add --type=db');
    expect(attempt).not.toThrow(/canary|PRIVATE KEY/);
  });
});
