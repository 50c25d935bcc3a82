import { randomUUID } from 'node:crypto';
import type { Client } from '@grpc/grpc-js';
import { callUnary, PosternError, ResourcesService } from '@postern/api';
import { type AdminOptions, asAdministrator } from '#connection/administrator.ts';
import { type Format, print } from '@postern/terminal/output';
import { warn } from '@postern/terminal/output';
import { UsageError } from '@postern/terminal/usage-error';

export interface LockFlags {
  readonly user?: string;
  readonly role?: string;
  readonly serverId?: string;
  readonly message?: string;
  readonly expires?: string;
  readonly ttl?: number;
}

export async function createLock(options: AdminOptions, flags: LockFlags & { readonly format: Format }): Promise<void> {
  const { user, role, serverId: server_id, message } = flags;
  if (user === undefined && role === undefined && server_id === undefined)
    throw new UsageError('say what to lock: --user, --role or --server-id');
  const expires = expiryOf(flags);
  const name = randomUUID();
  const lock = { kind: 'lock', version: 'v2', metadata: { name }, spec: { target: { user, role, server_id }, message, expires } };
  const unknown = await asAdministrator(options, async ({ client }) => {
    await callUnary(client, ResourcesService.createResource, { kind: 'lock', json: Buffer.from(JSON.stringify(lock)) });
    return unknownTargets(client, { user, role });
  });
  for (const target of unknown) warn(`there is no ${target}: was another meant? The lock holds for whoever comes under this name`);
  await print(flags.format, JSON.parse(JSON.stringify(lock)), () => `Created a lock with name "${name}".`);
}

/** A lock may come before its user does; more often the name was typed wrong, and the one who was meant goes on. */
async function unknownTargets(client: Client, targets: Readonly<Record<'user' | 'role', string | undefined>>): Promise<readonly string[]> {
  const unknown: string[] = [];
  for (const [kind, name] of Object.entries(targets)) {
    if (name === undefined) continue;
    await callUnary(client, ResourcesService.getResource, { kind, name, withSecrets: false }).catch((error: unknown) => {
      if (error instanceof PosternError && error.code === 'not_found') unknown.push(`${kind} "${name}"`);
    });
  }
  return unknown;
}

function expiryOf({ expires, ttl }: LockFlags): string | undefined {
  if (expires !== undefined && ttl !== undefined) throw new UsageError('--expires and --ttl exclude each other');
  if (ttl !== undefined) return new Date(Date.now() + ttl).toISOString();
  if (expires === undefined) return undefined;
  const ms = Date.parse(expires);
  if (Number.isNaN(ms)) throw new UsageError(`--expires: "${expires}" is not a time such as 2026-01-31T08:00:00Z`);
  if (ms <= Date.now()) throw new UsageError(`--expires: ${expires} is in the past, the lock would lock nothing`);
  return new Date(ms).toISOString();
}
