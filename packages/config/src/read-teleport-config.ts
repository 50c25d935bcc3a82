import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseYamlStrict } from '@postern/resources';
import { ConfigError, toConfigError } from '#config-error.ts';
import { hostPortText } from '#schema/fields.ts';
import { type FileInput, fileSchema } from '#schema/file-schema.ts';
import { defaultPorts } from '#schema/teleport-section.ts';
import type { AppSection, AuthSection, DbSection, ProxySection, ResourceMatcher, TeleportConfig } from '#teleport-config.ts';

const MAX_FILE_BYTES = 1024 * 1024;
export const DEFAULT_DATA_DIR = '/var/lib/teleport';

/** Reads and judges a teleport.yaml. Throws ConfigError with every problem. Token files are not opened: they are needed at the first start only. */
export function readTeleportConfig(source: { readonly file: string; readonly text?: string }): TeleportConfig {
  const text = source.text ?? readText(source.file);
  try {
    return toConfig(parseYamlStrict(text, fileSchema(readBounded), { file: source.file }));
  } catch (error) {
    throw toConfigError(error);
  }
}

function readText(file: string): string {
  try {
    return readBounded(file);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'it is not a file that can be read whole';
    const message = code === 'ENOENT' ? 'there is no such file (teleport configure prints one)' : `cannot be read (${code})`;
    throw new ConfigError(`${file}: ${message}`, [{ path: '', message }]);
  }
}

/** Regular files only: a pipe or a device could make a start hang or fill the memory. */
function readBounded(path: string): string {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.size > MAX_FILE_BYTES) throw new RangeError('not a regular file of at most 1 MiB');
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}

function toConfig(file: FileInput): TeleportConfig {
  const teleport: Partial<NonNullable<FileInput['teleport']>> = file.teleport ?? {};
  const { log, auth_token: authToken, join_params: join } = teleport;
  const nodename = teleport.nodename ?? hostname();
  const token = authToken ?? join?.token_name;
  const authServers = teleport.auth_servers ?? (teleport.auth_server === undefined ? [] : [teleport.auth_server]);
  const [authServer] = authServers;
  return {
    version: file.version ?? 'v1',
    nodename,
    dataDir: teleport.data_dir ?? DEFAULT_DATA_DIR,
    log: { output: log?.output ?? 'stderr', severity: log?.severity ?? 'info', format: log?.format?.output ?? 'text' },
    authServers,
    caPins: [...new Set(teleport.ca_pin ?? [])],
    ...(teleport.proxy_server === undefined ? {} : { proxyServer: teleport.proxy_server }),
    ...(authServer === undefined ? {} : { authServer }),
    ...(token === undefined ? {} : { token }),
    ...(authToken === undefined ? {} : { authToken }),
    ...(join ? { joinParams: { tokenName: join.token_name, method: 'token' as const } } : {}),
    ...(teleport.diag_addr ? { diagAddress: teleport.diag_addr } : {}),
    ...(file.auth_service ? { auth: toAuth(file.auth_service, teleport.storage, nodename) } : {}),
    ...(file.proxy_service ? { proxy: toProxy(file.proxy_service) } : {}),
    ...(file.db_service ? { db: toDb(file.db_service) } : {}),
    ...(file.app_service ? { app: toApp(file.app_service) } : {}),
  };
}

type Section<Name extends 'auth_service' | 'proxy_service' | 'db_service' | 'app_service'> = NonNullable<FileInput[Name]>;
type Storage = NonNullable<FileInput['teleport']>['storage'];

function toAuth(section: Section<'auth_service'>, storage: Storage, nodename: string): AuthSection {
  const ttl = section.authentication?.default_session_ttl;
  const [auditUri] = storage?.audit_events_uri ?? [];
  return {
    enabled: section.enabled ?? false,
    clusterName: section.cluster_name ?? nodename,
    listenAddress: section.listen_addr ?? { host: '0.0.0.0', port: defaultPorts.auth },
    storage:
      storage?.type === 'redis'
        ? { type: 'redis', url: storage.url ?? '' }
        : { type: 'sqlite', ...(storage?.path === undefined ? {} : { path: storage.path }) },
    tokens: section.tokens ?? [],
    authentication: { type: 'local', secondFactor: 'off' },
    ...(ttl === undefined ? {} : { sessionTtlMs: ttl }),
    ...(section.seal_key_file === undefined ? {} : { sealKeyFile: section.seal_key_file }),
    ...(auditUri === undefined ? {} : { auditDir: fileURLToPath(auditUri) }),
  };
}

function toProxy(section: Section<'proxy_service'>): ProxySection {
  const webListenAddress = section.web_listen_addr ?? { host: '0.0.0.0', port: defaultPorts.web };
  const pairs = (section.https_keypairs ?? []).map((pair) => ({ keyFile: pair.key_file, certFile: pair.cert_file }));
  if (section.https_key_file !== undefined && section.https_cert_file !== undefined)
    pairs.push({ keyFile: section.https_key_file, certFile: section.https_cert_file });
  return {
    enabled: section.enabled ?? false,
    webListenAddress,
    publicAddress: (section.public_addr ?? []).map(({ host, port }) =>
      hostPortText({ host, port: port === 0 ? webListenAddress.port : port }),
    ),
    httpsKeypairs: pairs,
    ...(section.peer_public_addr === undefined ? {} : { ownAddress: section.peer_public_addr }),
  };
}

function toDb(section: Section<'db_service'>): DbSection {
  const databases = (section.databases ?? []).map(({ name, description, protocol, uri, static_labels, aws }) => ({
    name,
    protocol,
    staticLabels: static_labels ?? {},
    ...(description === undefined ? {} : { description }),
    ...(uri === undefined ? {} : { uri }),
    aws: {
      ...(aws?.region === undefined ? {} : { region: aws.region }),
      ...(aws?.account_id ? { accountId: aws.account_id } : {}),
      ...(aws?.assume_role_arn === undefined ? {} : { assumeRoleArn: aws.assume_role_arn }),
      ...(aws?.external_id === undefined ? {} : { externalId: aws.external_id }),
      ...(aws?.session_tags ? { sessionTags: aws.session_tags } : {}),
    },
  }));
  return { enabled: section.enabled ?? false, resources: toMatchers(section.resources), databases };
}

function toApp(section: Section<'app_service'>): AppSection {
  const apps = (section.apps ?? []).map(({ name, description, uri, public_addr, labels, cloud, aws }) => ({
    name,
    labels: labels ?? {},
    aws: {
      ...(aws?.external_id === undefined ? {} : { externalId: aws.external_id }),
      ...(aws?.own_hosts ? { ownHosts: aws.own_hosts } : {}),
    },
    ...(description === undefined ? {} : { description }),
    ...(uri === undefined ? {} : { uri }),
    ...(public_addr === undefined ? {} : { publicAddress: public_addr }),
    ...(cloud === 'AWS' ? { cloud } : {}),
  }));
  return { enabled: section.enabled ?? false, resources: toMatchers(section.resources), apps };
}

function toMatchers(written: Section<'db_service'>['resources']): ResourceMatcher[] {
  return (written ?? []).map(({ labels, aws }) => ({
    labels,
    ...(aws
      ? {
          aws: {
            ...(aws.assume_role_arn === undefined ? {} : { assumeRoleArn: aws.assume_role_arn }),
            ...(aws.external_id === undefined ? {} : { externalId: aws.external_id }),
          },
        }
      : {}),
  }));
}
