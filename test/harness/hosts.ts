import type { Client } from '@grpc/grpc-js';
import { type AuditEvent, AuditService, callUnary, JoinService, PresenceService } from '@postern/api';
import { generateKey } from '@postern/pki';
import type { Cluster } from '#cluster.ts';
import { dial, type Held } from '#dial.ts';

export const AUTH = 'auth.postern.internal';

export interface HeldHost extends Held {
  readonly hostId: string;
}

/** What anybody is told who asks the proxy which cluster it is of. */
export async function hostCasOf(cluster: Cluster): Promise<string[]> {
  const found = JSON.parse(await cluster.mustSh(`curl -s --cacert web-ca.pem https://${cluster.proxy}/v1/webapi/find`)) as {
    host_ca_pems: string[];
  };
  return found.host_ca_pems;
}

/** Enters the cluster as an agent's host does, without the agent. */
export async function joinHost(proxy: string, hostCaPems: readonly string[], token: string, role: 'db' | 'app' = 'db'): Promise<HeldHost> {
  const key = generateKey();
  const client = dial(proxy, AUTH, hostCaPems);
  try {
    const request = { token, role, nodeName: 'host', version: '0.1.0', publicKey: key.publicKeyDer };
    const { hostId, certificatePem } = await callUnary(client, JoinService.join, request);
    return { hostId, certificatePem, privateKeyPem: key.privateKeyPem };
  } finally {
    client.close();
  }
}

export async function announceDatabase(host: Client, name: string): Promise<void> {
  const place = { awsRegion: 'us-east-1', awsAccountId: '123456789012' };
  const server = { kind: 'db', name, protocol: 'dynamodb', uri: '', description: '', labels: {}, dynamic: false, ...place };
  await callUnary(host, PresenceService.announceServers, { servers: [server], nodeName: 'host', version: '0.1.0' });
}

/** An application that auth lists and that nobody serves. */
export async function announceApp(host: Client, name: string, description: string): Promise<void> {
  const place = { awsRegion: '', awsAccountId: '' };
  const uri = 'https://console.aws.amazon.com/console/home';
  const server = { kind: 'app', name, protocol: '', uri, description, labels: {}, dynamic: false, ...place };
  await callUnary(host, PresenceService.announceServers, { servers: [server], nodeName: 'host', version: '0.1.0' });
}

/** Resolves once they are durable, with how many were not known before. */
export async function appendEvents(host: Client, events: AuditEvent[]): Promise<number> {
  return (await callUnary(host, AuditService.appendEvents, { events })).stored;
}
