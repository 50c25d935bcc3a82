import { createHash } from 'node:crypto';
import type { Server } from '@postern/api';
import type { Labels } from '@postern/rbac';
import type { HostRecord } from '#hosts/host-record.ts';
import type { ResourceJson } from '#resources/stored-resource.ts';

/** What one announced server is in the end: the agent's word where the agent may say it, the cluster's where not. */
export interface ServerSettings {
  readonly kind: 'db' | 'app';
  readonly name: string;
  readonly protocol: string;
  readonly uri: string;
  readonly description: string;
  readonly labels: Labels;
  readonly awsRegion: string;
  readonly awsAccountId: string;
  /** Of an app; empty where it goes by its name under each proxy. */
  readonly publicAddress: string;
  readonly dynamic: boolean;
}

export function settingsOf(server: Server, labels: Labels): ServerSettings {
  const { name, protocol, uri, description, awsRegion, awsAccountId, dynamic } = server;
  const kind = server.kind === 'app' ? 'app' : 'db';
  const publicAddress = kind === 'app' ? (server.publicAddress ?? '') : '';
  return { kind, name, protocol, uri, description, labels, awsRegion, awsAccountId, publicAddress, dynamic };
}

/** Two agents that agree on this serve the same thing; the description is for people. */
export function settingsDigest(settings: ServerSettings): string {
  const { kind, name, protocol, uri, labels, awsRegion, awsAccountId, publicAddress } = settings;
  const more = kind === 'app' ? [publicAddress] : [];
  const sortedLabels = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([kind, name, protocol, uri, sortedLabels, awsRegion, awsAccountId, ...more]))
    .digest('hex');
}

export interface ServerOf {
  readonly settings: ServerSettings;
  readonly host: HostRecord;
  readonly nodeName: string;
  readonly version: string;
  readonly expiresMs: number;
  readonly refused?: string;
}

/** `kind: db_server` (or app_server) in Teleport's shape; a refused one carries the reason in its database's status. */
export function serverResource(server: ServerOf): ResourceJson {
  const { settings, host } = server;
  const labels = { ...settings.labels };
  const inner = {
    kind: settings.kind,
    version: 'v3',
    metadata: { name: settings.name, labels, ...(settings.description === '' ? {} : { description: settings.description }) },
    spec: settings.kind === 'db' ? databaseSpec(settings) : appSpec(settings),
    status: { origin: settings.dynamic ? 'dynamic' : 'config', ...(server.refused === undefined ? {} : { refused: server.refused }) },
  };
  return {
    kind: `${settings.kind}_server`,
    version: 'v3',
    metadata: { name: settings.name, labels, expires: new Date(server.expiresMs).toISOString() },
    spec: {
      version: server.version,
      hostname: server.nodeName,
      host_id: host.id,
      ...(settings.kind === 'db' ? { database: inner } : { app: inner }),
    },
  };
}

function databaseSpec(settings: ServerSettings): Record<string, unknown> {
  return {
    protocol: settings.protocol,
    uri: settings.uri,
    aws: {
      ...(settings.awsRegion === '' ? {} : { region: settings.awsRegion }),
      ...(settings.awsAccountId === '' ? {} : { account_id: settings.awsAccountId }),
    },
  };
}

function appSpec({ uri, publicAddress }: ServerSettings): Record<string, unknown> {
  return { uri, cloud: 'AWS', ...(publicAddress === '' ? {} : { public_addr: publicAddress }) };
}
