import { hostname } from 'node:os';
import { stringify } from 'yaml';
import { withPort } from '@postern/profile/proxy-address';
import { UsageError } from '@postern/terminal/usage-error';

/** What every agent's file says, whatever it serves. */
export interface AgentFlags {
  readonly token?: string;
  readonly caPin?: readonly string[];
  readonly proxy?: string;
  readonly dataDir?: string;
}

export interface AgentFile {
  readonly type: 'db' | 'app';
  readonly comment: string;
  /** The section of the agent's own service, without `enabled`. */
  readonly section: Readonly<Record<string, unknown>>;
}

/** The same file as in the guides, with what was given filled in. */
export function agentFileText(flags: AgentFlags, { type, comment, section }: AgentFile): string {
  if (flags.proxy === undefined) throw new UsageError('--proxy is missing: the host:port of the cluster');
  if (flags.token === undefined) throw new UsageError(`--token is missing: tctl tokens add --type=${type} prints one`);
  const pins = flags.caPin ?? [];
  const config = {
    version: 'v3',
    teleport: {
      nodename: hostname(),
      data_dir: flags.dataDir ?? '/var/lib/teleport',
      proxy_server: withPort(flags.proxy),
      join_params: { method: 'token', token_name: flags.token },
      ...(pins.length === 0 ? {} : { ca_pin: pins }),
    },
    auth_service: { enabled: 'no' },
    proxy_service: { enabled: 'no' },
    ssh_service: { enabled: 'no' },
    [`${type}_service`]: { enabled: 'yes', ...section },
  };
  return `# ${comment}\n${stringify(config, { lineWidth: 0, compat: 'yaml-1.1' })}`;
}

/** True where an agent was given in flags rather than in a file. */
export function needsFlags(flags: {
  readonly name?: string;
  readonly proxy?: string;
  readonly token?: string;
  readonly config?: string;
}): boolean {
  const given = flags.name !== undefined || flags.proxy !== undefined || flags.token !== undefined;
  if (given && flags.config !== undefined) throw new UsageError('--config excludes --name, --proxy and --token: the file names them');
  return given;
}
