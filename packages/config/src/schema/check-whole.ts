import { isReservedLabel, validateApp, validateDatabase } from '@postern/resources';
import type { z } from 'zod';
import type { AppInput, DatabaseInput } from '#schema/agent-sections.ts';
import type { FileInput } from '#schema/file-schema.ts';

type Path = readonly (string | number)[];
type Add = (path: Path, message: string) => void;

/** What only the whole file can show: forms that exclude each other, and what a service that is switched on needs. */
export function checkWhole(file: FileInput, context: z.core.$RefinementCtx): void {
  const add: Add = (path, message) => context.addIssue({ code: 'custom', path: [...path], message });
  checkEnabled(file, add);
  checkJoining(file, add);
  checkSecondFactor(file, add);
  checkStorage(file, add);
  checkKeypairs(file, add);
  for (const [index, database] of (file.db_service?.databases ?? []).entries())
    checkDatabase(database, ['db_service', 'databases', index], add);
  refuseTwice(file.db_service?.databases ?? [], ['db_service', 'databases'], add);
  refuseTwice(file.app_service?.apps ?? [], ['app_service', 'apps'], add);
  for (const [index, app] of (file.app_service?.apps ?? []).entries()) checkApp(app, ['app_service', 'apps', index], add);
}

const services = ['auth_service', 'proxy_service', 'db_service', 'app_service'] as const;

/** Teleport switches some sections on by default and others off; here nothing is guessed. */
function checkEnabled(file: FileInput, add: Add): void {
  for (const service of services) {
    const section = file[service];
    if (section && section.enabled === undefined && Object.keys(section).length > 0)
      add([service, 'enabled'], 'is missing; write "yes" or "no"');
  }
}

function checkJoining(file: FileInput, add: Add): void {
  const { auth_token, join_params, auth_server, auth_servers, proxy_server } = file.teleport ?? {};
  const version = file.version ?? 'v1';
  if (auth_token !== undefined && join_params) add(['teleport', 'join_params'], 'cannot stand beside auth_token; keep one of them');
  if (version === 'v3') {
    if (auth_servers) add(['teleport', 'auth_servers'], 'belongs to versions v1 and v2; in v3 write auth_server or proxy_server');
    if (auth_server !== undefined && proxy_server !== undefined)
      add(['teleport', 'auth_server'], 'cannot stand beside proxy_server; keep one of them');
  } else {
    for (const [name, value] of Object.entries({ auth_server, proxy_server })) {
      if (value !== undefined)
        add(['teleport', name], `belongs to version v3; this file is ${file.version ?? 'without a version, which means v1'}`);
    }
  }
  const reachable = auth_server ?? auth_servers ?? proxy_server ?? (file.auth_service?.enabled === true || undefined);
  for (const service of ['proxy_service', 'db_service', 'app_service'] as const) {
    if (file[service]?.enabled === true && reachable === undefined) {
      add(['teleport'], `${service} is enabled, and the file says neither proxy_server nor auth_server`);
      break;
    }
  }
}

/** `off` has to be written out, so that nobody believes that a second factor protects a cluster where none exists. */
function checkSecondFactor(file: FileInput, add: Add): void {
  if (file.auth_service?.enabled !== true) return;
  const { second_factor: one, second_factors: many } = file.auth_service.authentication ?? {};
  const path = ['auth_service', 'authentication'];
  const how = 'there are no second factors yet, and password-only sign-in has to be asked for: write second_factor: off';
  if (many !== undefined) add([...path, 'second_factors'], `second_factors is not supported; ${how}`);
  if (one === undefined && many === undefined)
    add(file.auth_service.authentication ? path : ['auth_service'], `authentication.second_factor is missing; ${how}`);
  else if (one !== undefined && one !== 'off' && one !== false) add([...path, 'second_factor'], `second_factor must be off; ${how}`);
}

function checkStorage(file: FileInput, add: Add): void {
  const storage = file.teleport?.storage;
  if (!storage) return;
  if (storage.type === 'redis' && storage.url === undefined)
    add(['teleport', 'storage', 'url'], 'is missing; it is the URL of the Redis server, such as rediss://redis.example.com:6379');
  if (storage.type === 'redis' && storage.path !== undefined) add(['teleport', 'storage', 'path'], 'does not apply to Redis');
  if (storage.type !== 'redis' && storage.url !== undefined) add(['teleport', 'storage', 'url'], 'applies to type redis only');
  if ((storage.audit_events_uri?.length ?? 0) > 1) add(['teleport', 'storage', 'audit_events_uri'], 'can name one place only');
}

function checkKeypairs(file: FileInput, add: Add): void {
  const { https_key_file: key, https_cert_file: cert } = file.proxy_service ?? {};
  if ((key === undefined) !== (cert === undefined)) {
    add(['proxy_service', key === undefined ? 'https_cert_file' : 'https_key_file'], 'https_key_file and https_cert_file belong together');
  }
}

/** The same judgement as for `db` resources; its paths are turned into this file's. */
function checkDatabase(database: DatabaseInput, at: Path, add: Add): void {
  const { aws } = database;
  const problems = validateDatabase({
    name: database.name,
    protocol: database.protocol,
    labels: database.static_labels ?? {},
    sessionTags: aws?.session_tags ?? {},
    ...(database.uri === undefined ? {} : { uri: database.uri }),
    ...(aws?.region === undefined ? {} : { region: aws.region }),
    ...(aws?.account_id ? { accountId: aws.account_id } : {}),
    ...(aws?.assume_role_arn === undefined ? {} : { assumeRoleArn: aws.assume_role_arn }),
    ...(aws?.external_id === undefined ? {} : { externalId: aws.external_id }),
  });
  for (const { path, message } of problems) add([...at, ...path.slice(1)], message.replaceAll('spec.', ''));
  checkLabels(database.static_labels, [...at, 'static_labels'], add);
}

/** The same judgement as for `app` resources. */
function checkApp(app: AppInput, at: Path, add: Add): void {
  const problems = validateApp({
    name: app.name,
    labels: app.labels ?? {},
    ...(app.uri === undefined ? {} : { uri: app.uri }),
    ...(app.cloud === 'AWS' ? { cloud: app.cloud } : {}),
    ...(app.public_addr === undefined ? {} : { publicAddress: app.public_addr }),
    ...(app.aws?.external_id === undefined ? {} : { externalId: app.aws.external_id }),
    ...(app.aws?.own_hosts ? { ownHosts: app.aws.own_hosts } : {}),
  });
  for (const { path, message } of problems) add([...at, ...path.slice(1)], message);
  checkLabels(app.labels, [...at, 'labels'], add);
}

function checkLabels(labels: Readonly<Record<string, string>> | null | undefined, at: Path, add: Add): void {
  for (const key of Object.keys(labels ?? {})) if (isReservedLabel(key)) add([...at, key], 'labels under this prefix belong to the system');
}

function refuseTwice(named: readonly { readonly name: string }[], at: Path, add: Add): void {
  const seen = new Set<string>();
  for (const [index, { name }] of named.entries()) {
    if (seen.has(name)) add([...at, index, 'name'], `${name} is listed twice`);
    seen.add(name);
  }
}
