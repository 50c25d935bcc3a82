import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { absolutePath, address, hostPortText, notServed, oneOrMany, optionalText, text, withoutEffect } from '#schema/fields.ts';

/** The ports that Teleport falls back to where an address names none. */
export const defaultPorts = { auth: 3025, web: 3080, diag: 3000 } as const;

export type ReadFile = (path: string) => string;

const severities = { debug: 'debug', info: 'info', '': 'info', warn: 'warn', warning: 'warn', err: 'error', error: 'error' } as const;

const severity = z.string().transform((written, context) => {
  const known = Object.entries(severities).find(([name]) => name === written.toLowerCase());
  if (known) return known[1];
  context.addIssue({ code: 'custom', message: 'must be one of DEBUG, INFO, WARN, ERROR' });
  return z.NEVER;
});

const output = z.string().transform((written, context): 'stderr' | 'stdout' | { readonly file: string } => {
  if (written === '' || written === 'stderr' || written === 'err' || written === '2') return 'stderr';
  if (written === 'stdout' || written === 'out' || written === '1') return 'stdout';
  if (isAbsolute(written)) return { file: written };
  context.addIssue({ code: 'custom', message: 'must be stderr, stdout or the absolute path of a file' });
  return z.NEVER;
});

const log = z.strictObject({
  output: output.optional(),
  severity: severity.optional(),
  format: z.strictObject({ output: z.enum(['text', 'json']).optional(), extra_fields: withoutEffect }).nullish(),
});

const JOIN_METHODS_ELSEWHERE = [
  'iam',
  'ec2',
  'github',
  'gitlab',
  'circleci',
  'kubernetes',
  'azure',
  'azure_devops',
  'gcp',
  'bitbucket',
  'spacelift',
  'terraform_cloud',
  'tpm',
  'oracle',
  'bound_keypair',
];

const method = z.string().transform((written, context) => {
  if (written === 'token' || written === '') return 'token' as const;
  const known = JOIN_METHODS_ELSEWHERE.includes(written)
    ? 'is a join method of Teleport that is not supported; use token'
    : 'must be token';
  context.addIssue({ code: 'custom', message: known });
  return z.NEVER;
});

const storage = z.strictObject({
  type: z.enum(['sqlite', 'dir', 'redis']),
  path: absolutePath.optional(),
  url: z
    .string()
    .refine((url) => /^(?:rediss?|redis\+unix):\/\/./.test(url), { error: 'must be a Redis URL such as rediss://redis.example.com:6379' })
    .optional(),
  /** file:///absolute/path, alone or in a list: where the audit log is kept. */
  audit_events_uri: oneOrMany(
    z.string().refine((uri) => /^file:\/\/\/./.test(uri), {
      error: 'must be file:// and an absolute path; other stores of audit events are not supported',
    }),
  ).optional(),
  audit_sessions_uri: notServed('sessions are not recorded as files; leave it out'),
  journal: withoutEffect,
  sync: withoutEffect,
});

/** A pin, or the absolute path of a file with one pin a line. */
function pin(readFile: ReadFile) {
  return z.string().transform((written, context): string[] => {
    const lines = isAbsolute(written) ? readLines(written, readFile) : [written];
    if (lines === undefined) context.addIssue({ code: 'custom', message: `the file ${written} cannot be read` });
    else if (lines.length > 0 && lines.every((line) => /^sha256:[0-9a-f]{64}$/i.test(line))) return lines.map((line) => line.toLowerCase());
    else context.addIssue({ code: 'custom', message: 'must be a pin as tctl status prints it: sha256: and 64 hexadecimal digits' });
    return z.NEVER;
  });
}

function readLines(path: string, readFile: ReadFile): string[] | undefined {
  try {
    return readFile(path)
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '');
  } catch {
    return undefined;
  }
}

const authAddress = address({ port: defaultPorts.auth }).transform(hostPortText);

export function teleportSection(readFile: ReadFile) {
  return z.strictObject({
    nodename: text.optional(),
    data_dir: absolutePath.optional(),
    log: log.nullish(),
    storage: storage.nullish(),
    auth_token: optionalText,
    join_params: z.strictObject({ token_name: text, method: method.optional() }).nullish(),
    auth_server: authAddress.optional(),
    auth_servers: z.array(authAddress).min(1).max(64).optional(),
    proxy_server: address({ port: defaultPorts.web }).transform(hostPortText).optional(),
    ca_pin: oneOrMany(pin(readFile))
      .transform((pins) => pins.flat())
      .optional(),
    diag_addr: z.union([z.literal('').transform(() => undefined), address({ port: defaultPorts.diag, host: '127.0.0.1' })]).optional(),
    advertise_ip: withoutEffect,
    cache: withoutEffect,
    connection_limits: notServed('the limits on connections are fixed and cannot be set; leave it out'),
    pid_file: notServed('is not supported; systemd knows the process, and so does the container'),
    ciphersuites: notServed('the cipher suites are fixed; leave it out'),
  });
}
