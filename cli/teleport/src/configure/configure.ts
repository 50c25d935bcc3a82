import { hostname } from 'node:os';
import { stringify } from 'yaml';
import { writeConfiguration } from '#configure/output.ts';
import { say } from '@postern/terminal/output';
import { UsageError } from '@postern/terminal/usage-error';

export interface ConfigureFlags {
  readonly clusterName?: string;
  readonly publicAddr?: string;
  readonly dataDir?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
  readonly output: string;
}

/** A file to begin with: auth and proxy in one process, over SQLite. */
export function configure(flags: ConfigureFlags): void {
  if ((flags.certFile === undefined) !== (flags.keyFile === undefined)) throw new UsageError('--cert-file and --key-file belong together');
  const file = writeConfiguration(flags.output, sampleText(flags));
  if (file !== undefined)
    say(`next: look at it, teleport start -c ${file}, and a first user: tctl -c ${file} users add <name> --roles=editor,access`);
}

export function sampleText(flags: Omit<ConfigureFlags, 'output'>): string {
  const name = flags.clusterName ?? flags.publicAddr?.replace(/:\d+$/, '') ?? hostname();
  const address = flags.publicAddr ?? `${name}:443`;
  return `version: v3
teleport:
  nodename: ${value(hostname())}
  # State, keys and the audit log. Back it up, and let nobody else read it.
  data_dir: ${value(flags.dataDir ?? '/var/lib/teleport')}
  log:
    severity: INFO
    output: stderr
    format:
      output: text

auth_service:
  enabled: "yes"
  # Part of every certificate: it cannot be changed later.
  cluster_name: ${value(name)}
  listen_addr: 127.0.0.1:3025
  authentication:
    type: local
    # Passwords alone protect the cluster: this has to be written down to be accepted.
    second_factor: "off"

proxy_service:
  enabled: "yes"
  # The one port that people and agents dial.
  web_listen_addr: 0.0.0.0:${value(Number(address.split(':').at(-1)))}
  public_addr: ${value(address)}
${
  flags.certFile === undefined
    ? `  # Without a certificate one is made that browsers do not trust; tsh and agents then need --ca-pin.
  # https_keypairs:
  #   - key_file: /etc/teleport/privkey.pem
  #     cert_file: /etc/teleport/fullchain.pem
`
    : `  https_keypairs:
    - key_file: ${value(flags.keyFile ?? '')}
      cert_file: ${value(flags.certFile)}
`
}
# On the machine near AWS rather than here; see teleport db configure create.
db_service:
  enabled: "no"

# Likewise: the AWS console and API; see teleport app configure create.
app_service:
  enabled: "no"
`;
}

function value(text: string | number): string {
  return stringify(text).trimEnd();
}
