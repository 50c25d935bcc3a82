import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '@grpc/grpc-js';
import { CertsService, callUnary, type Resource, ResourcesService } from '@postern/api';
import { generateKey } from '@postern/pki';
import { type Cluster, ROLE } from '@postern/test-harness/cluster.ts';
import { dial, type Held } from '@postern/test-harness/dial.ts';
import { DATABASE } from '@postern/test-harness/stage.ts';

interface AdminFile extends Held {
  readonly hostCaPems: readonly string[];
}

/** What tctl on the auth host has; read anew after each start, since auth writes it anew. */
export const adminOf = (cluster: Cluster) => JSON.parse(readFileSync(join(cluster.dir, 'auth', 'proc', 'admin.json'), 'utf8')) as AdminFile;

/** A channel straight to auth, as `tctl` has it, for more calls a second than one can start programs. */
export function asAdmin(cluster: Cluster): Client {
  const admin = adminOf(cluster);
  return dial(cluster.authAddress, 'auth.postern.internal', admin.hostCaPems, admin);
}

/** `tctl create -f` of a role in a version of its own; the description holds the mark. Rejects where it was not acknowledged. */
export async function writeRole(client: Client, name: string, mark: string): Promise<void> {
  const role = {
    kind: 'role',
    version: 'v7',
    metadata: { name, description: mark },
    spec: { allow: { db_labels: { mark }, db_users: [mark] } },
  };
  await callUnary(client, ResourcesService.putResource, { kind: 'role', json: Buffer.from(JSON.stringify(role)) }, { deadlineMs: 5_000 });
}

export async function listRoles(client: Client): Promise<readonly Resource[]> {
  const { resources } = await callUnary(client, ResourcesService.listResources, {
    kind: 'role',
    withSecrets: false,
    pageSize: 1000,
    pageToken: '',
  });
  return resources;
}

/** A session certificate for whoever the client is; its id and serial stand in the audit log. */
export async function askForCertificate(client: Client): Promise<string> {
  const { sessionId } = await callUnary(
    client,
    CertsService.issueSessionCert,
    { resourceKind: 'db', resourceName: DATABASE, principal: ROLE, publicKey: generateKey().publicKeyDer, ttlSeconds: 0 },
    { deadlineMs: 5_000 },
  );
  return sessionId;
}
