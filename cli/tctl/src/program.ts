import { Command, Option } from 'commander';
import { addAuditCommands } from '#audit/audit-commands.ts';
import type { AdminOptions } from '#connection/administrator.ts';
import { addClusterCommands } from '#cluster/cluster-commands.ts';
import { addResourceCommands } from '#resources/resource-commands.ts';
import { addTokenCommands } from '#tokens/token-commands.ts';
import { addUserCommands } from '#users/user-commands.ts';
import { examples } from '#examples.ts';
import { type Format, formatOption } from '@postern/terminal/output';
import { dressCommands } from '@postern/terminal/dress-commands';
import { versionText } from '@postern/terminal/version';
import { runProgram } from '@postern/terminal/run-program';

/** The command line of tctl. Each command is loaded when it is called: nothing here may import gRPC, zod or yaml. */
export function runTctl(argv: readonly string[], version: string): Promise<never> {
  return runProgram(tctlProgram(version), argv);
}

export function tctlProgram(version: string): Command {
  const tctl = new Command('tctl')
    .description('administer a cluster')
    .exitOverride()
    .version(versionText(version), '--version', 'the version, as the command of this name has it')
    .addOption(new Option('-c, --config <file>', 'teleport.yaml of the auth host (TELEPORT_CONFIG_FILE)'))
    .option('--auth-server <host:port>', 'the auth server to dial (TELEPORT_AUTH_SERVER)')
    .option('-i, --identity <file>', 'act with the identity in this file')
    .option('--insecure', 'go on with a tsh login that was never verified')
    .option('-d, --debug', 'print the stack of an error');
  const options = () => tctl.opts<AdminOptions>();
  addClusterCommands(tctl, options);
  addTokenCommands(tctl, options);
  addResourceCommands(tctl, options);
  addUserCommands(tctl, options);
  addAuditCommands(tctl, options);
  tctl
    .command('version')
    .description('the version of tctl')
    .addOption(formatOption())
    .action(async ({ format }: { format: Format }) => (await import('@postern/terminal/version')).printVersion(version, format));
  return dressCommands(tctl, examples);
}
