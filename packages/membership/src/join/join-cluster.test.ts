import { PosternError } from '@postern/api/errors';
import { Identity_Kind } from '@postern/api/identity';
import { caPin, certificateDerOf, createAuthority, identityOf } from '@postern/pki';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type JoinOptions, joinCluster } from '#join/join-cluster.ts';
import type { HostMember } from '#member/host-member.ts';
import { TestAuth, TOKEN } from '#testing/test-auth.ts';
import { TestProxy } from '#testing/test-proxy.ts';

const open: { stop(): Promise<void> }[] = [];
const kept = <T extends { stop(): Promise<void> }>(thing: T): T => {
  open.push(thing);
  return thing;
};
afterEach(async () => {
  for (const thing of open.splice(0).toReversed()) await thing.stop();
});

let auth: TestAuth;
let proxy: TestProxy;
beforeEach(async () => {
  auth = kept(await TestAuth.start());
  proxy = kept(await TestProxy.start({ auth }));
});

const settings = { token: TOKEN, role: 'db', nodeName: 'node-1', version: '0.1.0' } as const;
const join = async (options: JoinOptions): Promise<HostMember> => kept(await joinCluster(options));
const pins = () => [caPin(auth.host.certificatePem)];
const refusal = async (options: JoinOptions): Promise<PosternError> => {
  const error = await join(options).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(PosternError);
  expect((error as PosternError).message).not.toContain(options.token);
  return error as PosternError;
};

describe('a host joins', () => {
  it('through a proxy whose web certificate verifies, and the proxy never sees the token', async () => {
    const member = await join({ ...settings, proxy: proxy.address, webRoots: [proxy.webRootPem] });
    const material = member.current();
    expect(identityOf(certificateDerOf(material.certificatePem))).toMatchObject({
      kind: Identity_Kind.DB_AGENT,
      name: member.hostId,
      cluster: 'test.internal',
    });
    expect(material).toMatchObject({ hostCaPems: [auth.host.certificatePem], userCaPems: [auth.user.certificatePem] });
    expect(auth.joins).toEqual([expect.objectContaining({ role: 'db', nodeName: 'node-1', version: '0.1.0' })]);
    expect(proxy.spliced.length).toBeGreaterThan(0);
    expect(Buffer.concat(proxy.spliced).includes(TOKEN)).toBe(false);
  });

  it('through a proxy by the pin', async () => {
    const member = await join({ ...settings, role: 'app', proxy: proxy.address, caPins: pins(), webRoots: [] });
    expect(identityOf(certificateDerOf(member.current().certificatePem)).kind).toBe(Identity_Kind.APP_AGENT);
  });

  it('at an auth server by the pin, which the server’s own chain answers', async () => {
    const member = await join({ ...settings, role: 'proxy', authServer: auth.address, caPins: pins() });
    expect(identityOf(certificateDerOf(member.current().certificatePem)).kind).toBe(Identity_Kind.PROXY);
  });

  it('at an auth server whose authority it knows', async () => {
    const member = await join({ ...settings, authServer: auth.address, hostCaPems: [auth.host.certificatePem] });
    expect(member.cluster).toBe('test.internal');
  });

  it('at an auth server’s address that is a proxy’s, since the server name leads through', async () => {
    expect((await join({ ...settings, authServer: proxy.address, caPins: pins() })).cluster).toBe('test.internal');
  });
});

describe('a host does not join, and its token is never sent', () => {
  const wrong = [`sha256:${'0'.repeat(64)}`];
  it.each([
    ['with a wrong pin through a proxy', () => ({ proxy: proxy.address, caPins: wrong }), 'the CA pin does not match'],
    ['with a wrong pin at an auth server', () => ({ authServer: auth.address, caPins: wrong }), 'the CA pin does not match'],
    [
      'with the pin of the user authority',
      () => ({ authServer: auth.address, caPins: [caPin(auth.user.certificatePem)] }),
      'the CA pin does not match',
    ],
    ['without a pin at an auth server', () => ({ authServer: auth.address }), 'needs ca_pin'],
    ['without a pin at an auth server, insecure or not', () => ({ authServer: auth.address, insecure: true }), 'needs ca_pin'],
    ['through a proxy that does not verify', () => ({ proxy: proxy.address, webRoots: [] }), 'cannot be verified'],
    [
      'with the user authority in the place of the host authority',
      () => ({ authServer: auth.address, hostCaPems: [auth.user.certificatePem] }),
      'is not the Host CA of one cluster',
    ],
  ])('%s', async (_what, reach, expected) => {
    const error = await refusal({ ...settings, ...(reach() as { proxy: string }) });
    expect(error.message).toContain(expected);
    expect(auth.joins).toEqual([]);
  });

  it('where the server that the proxy leads to is not the auth server of the pinned cluster', async () => {
    const impostor = kept(await TestAuth.start({ cluster: 'test.internal' }));
    const relay = kept(await TestProxy.start({ auth: { port: impostor.port, cluster: auth.cluster, host: auth.host } }));
    const error = await refusal({ ...settings, proxy: relay.address, caPins: pins() });
    expect(error).toMatchObject({ code: 'cannot_connect', message: expect.stringContaining('cannot reach auth of test.internal') });
    expect(impostor.joins).toEqual([]);
  });

  it('where another part of the cluster plays auth', async () => {
    const played = kept(await TestAuth.start({ as: Identity_Kind.DB_AGENT }));
    expect((await refusal({ ...settings, authServer: played.address, caPins: [caPin(played.host.certificatePem)] })).message).toContain(
      'of this kind is not accepted',
    );
    expect(played.joins).toEqual([]);
  });

  it('where the auth server does not present its authority', async () => {
    const silent = kept(await TestAuth.start({ presentsAuthority: false }));
    expect((await refusal({ ...settings, authServer: silent.address, caPins: [caPin(silent.host.certificatePem)] })).message).toContain(
      'the CA pin does not match',
    );
    expect(silent.joins).toEqual([]);
  });
});

describe('an answer to a join is refused', () => {
  const direct = () => ({ ...settings, authServer: auth.address, caPins: pins() });

  it('where the token is not valid, in the words of auth and with the next command', async () => {
    expect(await refusal({ ...direct(), token: 'f'.repeat(32) })).toMatchObject({
      code: 'denied',
      message: 'the host cannot join: the token is not valid: tctl tokens add --type=db makes a new one',
    });
  });

  it.each([
    [
      'is for another key',
      async () => {
        const stranger = await joinCluster(direct());
        const { certificatePem } = stranger.current();
        const { hostId } = stranger;
        await stranger.stop();
        return { certificatePem, hostId };
      },
      'is for another key',
    ],
    ['names another cluster', () => Promise.resolve({ cluster: 'other.internal' }), 'which was not asked for'],
    ['names another host', () => Promise.resolve({ hostId: 'another' }), 'is not accepted here'],
    ['comes without authorities', () => Promise.resolve({ userCaPems: [] }), 'without the authorities'],
    [
      'comes with an authority that did not sign it',
      async () => ({ hostCaPems: [(await createAuthority({ kind: 'host', cluster: 'test.internal', nowMs: Date.now() })).certificatePem] }),
      'was not signed by',
    ],
    ['holds no certificate', () => Promise.resolve({ certificatePem: 'garbage' }), 'cannot be read'],
  ])('that %s', async (_what, distortion, expected) => {
    const over = await distortion();
    auth.distort = (answer) => ({ ...answer, ...over });
    expect((await refusal(direct())).message).toMatch(new RegExp(expected));
  });

  it('that is for another role', async () => {
    const app = kept(await joinCluster({ ...direct(), role: 'app' }));
    auth.distort = (answer) => ({ ...answer, hostId: app.hostId, certificatePem: app.current().certificatePem });
    expect((await refusal(direct())).message).toContain('of this kind is not accepted');
  });
});
