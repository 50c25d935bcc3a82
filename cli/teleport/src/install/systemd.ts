import { existsSync, realpathSync } from 'node:fs';
import { PosternError } from '@postern/api/errors';
import { writeConfiguration } from '#configure/output.ts';
import { say } from '@postern/terminal/output';
import { UsageError } from '@postern/terminal/usage-error';

export interface SystemdFlags {
  readonly output?: string;
  readonly envFile: string;
  readonly config: string;
  readonly dataDir: string;
  readonly teleportPath?: string;
}

export function installSystemd(flags: SystemdFlags): void {
  const program = flags.teleportPath ?? ownPath();
  for (const [flag, path] of Object.entries({
    '--teleport-path': program,
    '--config': flags.config,
    '--data-dir': flags.dataDir,
    '--env-file': flags.envFile,
  })) {
    // systemd splits ExecStart at spaces and expands % and $.
    if (!/^\/[\w./@+-]+$/.test(path)) throw new UsageError(`${flag}: "${path}" is not an absolute path of letters, digits and ./@+-`);
  }
  writeConfiguration(
    flags.output ?? 'stdout',
    unitText({ program, config: flags.config, dataDir: flags.dataDir, envFile: flags.envFile }),
    0o644,
  );
  if (flags.output !== undefined) say('next: systemctl daemon-reload, systemctl enable teleport, systemctl start teleport');
}

/** The launcher that was typed, not the script that it started: it also finds the right Node. */
function ownPath(): string {
  const script = realpathSync(process.argv[1] ?? '');
  const launcher = script.replace(/\/(dist|src)\/main\.(mjs|ts)$/, '/bin/teleport');
  if (!existsSync(launcher)) throw new PosternError('not_found', `cannot tell where teleport is installed: name it with --teleport-path`);
  return launcher;
}

/**
 * What the service may do is listed, and the rest is taken away. MemoryDenyWriteExecute is absent because V8 compiles at
 * run time, PrivateTmp because guides have people put the join token into /tmp, which is to be read there and cannot be written: ProtectSystem
 * makes it read-only with the rest. The metadata service stays reachable: an agent gets its AWS credentials there; for a host that runs only the
 * proxy, IPAddressDeny=169.254.169.254 belongs in a drop-in.
 */
export function unitText(options: {
  readonly program: string;
  readonly config: string;
  readonly dataDir: string;
  readonly envFile: string;
}): string {
  const { program, config, dataDir, envFile } = options;
  return `[Unit]
Description=Postern: access to DynamoDB and AWS without AWS keys
After=network-online.target
Wants=network-online.target

[Service]
Type=exec
EnvironmentFile=-${envFile}
UnsetEnvironment=NODE_OPTIONS
ExecStart=${program} start --config ${config}
Restart=always
RestartSec=5
TimeoutStopSec=40
UMask=0077
LimitNOFILE=65536
LimitCORE=0

NoNewPrivileges=yes
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
AmbientCapabilities=CAP_NET_BIND_SERVICE
ProtectSystem=strict
${writable(dataDir)}
ProtectHome=read-only
PrivateDevices=yes
ProtectHostname=yes
ProtectClock=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectProc=invisible
ProcSubset=pid
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RemoveIPC=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
`;
}

/** Below /var/lib systemd makes the directory itself; any other has to be there. */
function writable(dataDir: string): string {
  const [, name] = /^\/var\/lib\/([\w.@+-]+)$/.exec(dataDir) ?? [];
  return name === undefined ? `ReadWritePaths=${dataDir}` : `StateDirectory=${name}\nStateDirectoryMode=0700`;
}
