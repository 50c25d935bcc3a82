import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { callUnary, type Identity, JoinService } from '@postern/api';
import { type Authority, createAuthority, generateKey, issueCertificate } from '@postern/pki';
import type { Cluster } from '@postern/test-harness/cluster.ts';
import { dial, type Held } from '@postern/test-harness/dial.ts';

export const AUTH = 'auth.postern.internal';
export const TUNNEL = 'tunnel.postern.internal';
export const CLUSTER = 'example.internal';

/** The code of our own that a call is refused with, or 'ok'. */
export function codeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'ok',
    (error: unknown) => String((error as { code?: unknown }).code),
  );
}

/** The Host CA, as anybody may read it. */
export async function hostCasOf(cluster: Cluster): Promise<string[]> {
  const found = await cluster.mustSh(`curl -s --cacert web-ca.pem https://${cluster.proxy}/v1/webapi/find`);
  return (JSON.parse(found) as { host_ca_pems: string[] }).host_ca_pems;
}

export interface HeldHost extends Held {
  readonly hostId: string;
  readonly userCaPems: readonly string[];
}

/** Joins as a host would, with a key of this process. */
export async function enter(
  cluster: Cluster,
  given: {
    readonly hostCas: readonly string[];
    readonly token: string;
    readonly role: string;
    readonly nodeName?: string;
    readonly version?: string;
  },
): Promise<HeldHost> {
  const { token, role, nodeName = 'host', version = '0.1.0' } = given;
  const key = generateKey();
  const client = dial(cluster.proxy, AUTH, given.hostCas);
  try {
    const { hostId, certificatePem, userCaPems } = await callUnary(client, JoinService.join, {
      token,
      role,
      nodeName,
      version,
      publicKey: key.publicKeyDer,
    });
    return { hostId, certificatePem, userCaPems, privateKeyPem: key.privateKeyPem };
  } finally {
    client.close();
  }
}

/** What lies on the auth host for tctl. */
export function localAdmin(cluster: Cluster): Held {
  return JSON.parse(readFileSync(join(cluster.dir, 'auth', 'proc', 'admin.json'), 'utf8')) as Held;
}

/** A certificate of an authority that is not this cluster's, whatever names it writes into it. */
export async function forge(
  identity: Identity,
  given: { readonly authority?: Authority; readonly authorityKind?: 'host' | 'user'; readonly ttlMs?: number } = {},
): Promise<Held> {
  const nowMs = Date.now();
  const authority = given.authority ?? (await createAuthority({ kind: given.authorityKind ?? 'user', cluster: identity.cluster, nowMs }));
  const key = generateKey();
  const { certificatePem } = await issueCertificate({
    authority,
    identity,
    publicKey: key.publicKeyDer,
    notAfterMs: nowMs + (given.ttlMs ?? 3_600_000),
    nowMs,
  });
  return { certificatePem, privateKeyPem: key.privateKeyPem };
}
