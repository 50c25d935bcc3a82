import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '@grpc/grpc-js';
import { PosternError } from '@postern/api/errors';
import { openAuthChannel } from '@postern/membership';
import { type AdminIdentity, readAdminIdentity } from '#connection/admin-identity.ts';
import { openProfileChannel } from '@postern/profile/open-profile-channel';
import { reachAuth } from '@postern/profile/reach-auth';
import { signedIn } from '@postern/profile/signed-in';

/** Flags that come before or after any command of tctl. */
export interface AdminOptions {
  readonly config?: string;
  readonly authServer?: string;
  readonly identity?: string;
  readonly insecure?: boolean;
  readonly debug?: boolean;
}
export interface Administrator {
  readonly client: Client;
  /** Whom it dials. */
  readonly address: string;
  /** The user whose certificate is used; undefined for the local administrator. */
  readonly user: string | undefined;
  /** What to do where nobody listens there, if it is not what a user of tsh would. */
  readonly ifRefused?: string;
}
const DEFAULT_CONFIG = '/etc/teleport.yaml';
const ADMIN_FILE = join('proc', 'admin.json');

/** Opens a channel to auth as the administrator that the flags and the machine name, and closes it afterwards. */
export async function asAdministrator<T>(options: AdminOptions, act: (administrator: Administrator) => Promise<T>): Promise<T> {
  const administrator = await openAdministrator(options, process.env);
  const { client, address, ifRefused } = administrator;
  return reachAuth(client, address, () => act(administrator), ifRefused === undefined ? {} : { ifRefused });
}

/** In this order: --identity, the local administrator of an auth host's configuration, the tsh profile. */
async function openAdministrator(options: AdminOptions, env: NodeJS.ProcessEnv): Promise<Administrator> {
  const authServer = options.authServer ?? env['TELEPORT_AUTH_SERVER'];
  if (options.identity !== undefined) return asLocal(readAdminIdentity(options.identity), { authServer });
  const file = options.config ?? env['TELEPORT_CONFIG_FILE'];
  const local = await localIdentity(file);
  if (local !== undefined) return asLocal(local, { authServer, config: file ?? DEFAULT_CONFIG });
  const who = signedIn(options.insecure === true ? { insecure: true } : {}, env, Date.now());
  return { client: openProfileChannel(who), address: who.profile.proxy, user: who.profile.user };
}

/** A file that was named must do; /etc/teleport.yaml counts where it is there, readable and runs auth. */
async function localIdentity(named: string | undefined): Promise<AdminIdentity | undefined> {
  const file = named ?? DEFAULT_CONFIG;
  if (named === undefined && !existsSync(file)) return undefined;
  const { readTeleportConfig } = await import('@postern/config');
  let dataDir: string;
  try {
    const config = readTeleportConfig({ file });
    if (config.auth?.enabled !== true) return undefined;
    dataDir = config.dataDir;
  } catch (error) {
    if (named === undefined) return undefined;
    throw error;
  }
  const path = join(dataDir, ADMIN_FILE);
  if (named !== undefined || existsSync(path)) return readAdminIdentity(path);
  return undefined;
}

interface LocalAuth {
  /** Another address than the identity's. */
  readonly authServer: string | undefined;
  /** The file of which auth runs, where it is known. */
  readonly config?: string;
}

function asLocal(identity: AdminIdentity, { authServer, config }: LocalAuth): Administrator {
  if (identity.notAfterMs <= Date.now())
    throw new PosternError('expired', `${identity.file} has expired: restart the auth server, which writes it anew`);
  const { cluster, hostCaPems, certificatePem, privateKeyPem } = identity;
  const address = authServer ?? identity.address;
  const client = openAuthChannel({
    address,
    via: 'direct',
    hostCaPems,
    cluster,
    client: { certificatePem, privateKeyPem },
  });
  const start = config === undefined || authServer !== undefined ? '' : ` teleport start -c ${config}`;
  return { client, address, user: undefined, ifRefused: `is auth running?${start}` };
}
