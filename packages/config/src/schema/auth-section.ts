import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { absolutePath, address, duration, flag, notServed, withoutEffect } from '#schema/fields.ts';
import { defaultPorts } from '#schema/teleport-section.ts';
import type { StaticToken } from '#teleport-config.ts';

const roleNames: Readonly<Record<string, 'db' | 'app' | 'proxy'>> = { db: 'db', app: 'app', proxy: 'proxy' };
/** 128 bits as hex: shorter ones can be guessed. */
const MIN_TOKEN_LENGTH = 16;

/** "proxy,db:VALUE" or "db:/path/to/file". Messages never repeat the value. */
const staticToken = z.string().transform((written, context): StaticToken => {
  const colon = written.indexOf(':');
  const names = written
    .slice(0, Math.max(colon, 0))
    .split(',')
    .map((name) => name.trim().toLowerCase());
  const value = written.slice(colon + 1).trim();
  const roles = names.map((name) => roleNames[name]);
  const refuse = (message: string) => {
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  };
  if (colon < 1)
    return refuse('must be roles, a colon and the token or the absolute path of its file, such as proxy,db:/var/lib/teleport/token');
  if (!roles.every((role) => role !== undefined)) return refuse('can only be for the roles db, app and proxy');
  if (!isAbsolute(value) && value.length < MIN_TOKEN_LENGTH)
    return refuse(`holds a token of fewer than ${MIN_TOKEN_LENGTH} characters, which can be guessed`);
  return { roles: [...new Set(roles)], value };
});

const clusterName = z.string().refine((name) => /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/.test(name), {
  error: 'must be a name such as teleport.example.com: letters, digits, dots and hyphens',
});

const authentication = z.strictObject({
  type: z
    .string()
    .refine((type) => type === 'local', { error: 'must be local: signing in through GitHub, OIDC or SAML is not supported' })
    .optional(),
  /** Judged where the whole file is known: it matters only where auth is enabled. */
  second_factor: z.unknown().optional(),
  second_factors: z.unknown().optional(),
  default_session_ttl: duration.optional(),
  local_auth: flag.refine((on) => on, { error: 'must be yes: there is no other way to sign in' }).optional(),
  locking_mode: notServed('is set for a role, in spec.options.lock'),
  connector_name: notServed('connectors are not supported'),
  webauthn: notServed('second factors are not supported'),
  u2f: notServed('second factors are not supported'),
  passwordless: notServed('second factors are not supported'),
  headless: notServed('second factors are not supported'),
  require_session_mfa: notServed('second factors are not supported'),
  device_trust: notServed('device trust is not supported'),
});

export const authSection = z.strictObject({
  enabled: flag.optional(),
  cluster_name: clusterName.optional(),
  listen_addr: address({ port: defaultPorts.auth, host: '0.0.0.0' }).optional(),
  tokens: z.array(staticToken).max(64).nullish(),
  authentication: authentication.nullish(),
  /** Holds the key that seals the private keys of the authorities in the store. */
  seal_key_file: absolutePath.optional(),
  proxy_listener_mode: z
    .string()
    .refine((mode) => mode === 'multiplex', { error: 'must be multiplex: the proxy has one port' })
    .optional(),
  public_addr: withoutEffect,
  license_file: withoutEffect,
  session_recording: withoutEffect,
  proxy_checks_host_keys: withoutEffect,
  keep_alive_interval: withoutEffect,
  keep_alive_count_max: withoutEffect,
  routing_strategy: withoutEffect,
  tunnel_strategy: withoutEffect,
  ca_key_params: notServed('authorities with keys in an HSM or a KMS are not supported'),
  client_idle_timeout: notServed('is not supported'),
  disconnect_expired_cert: flag.refine((on) => on, { error: 'can only be yes: nothing outlives its certificate' }).optional(),
  message_of_the_day: notServed('is not supported'),
});
