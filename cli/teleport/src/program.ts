import { Command } from 'commander';
import type { AppFlags } from '#configure/app-agent.ts';
import type { DatabaseFlags } from '#configure/database-agent.ts';
import type { ConfigureFlags } from '#configure/configure.ts';
import type { StartFlags } from '#start/start-command.ts';
import { examples } from '#examples.ts';
import { collectList, type Format, formatOption, parseLabels } from '@postern/terminal/output';
import { dressCommands } from '@postern/terminal/dress-commands';
import { versionText } from '@postern/terminal/version';
import { runProgram } from '@postern/terminal/run-program';

const DEFAULT_CONFIG = '/etc/teleport.yaml';

/** The command line of teleport. Each command is loaded when it is called: nothing here may import gRPC, zod or yaml. */
export function runTeleport(argv: readonly string[], version: string): Promise<never> {
  return runProgram(teleportProgram(version), argv);
}

export function teleportProgram(version: string): Command {
  const teleport = new Command('teleport')
    .description('the services of a cluster: auth, proxy, database and application agents')
    .exitOverride()
    .version(versionText(version), '--version', 'the version, as the command of this name has it')
    .option('-d, --debug', 'log more, and print the stack of an error');
  const start = async (flags: StartFlags) => {
    const { startCommand } = await import('#start/start-command.ts');
    await startCommand({ ...flags, debug: teleport.opts<{ debug?: boolean }>().debug === true });
  };
  withStartFlags(teleport.command('start').description('start the services that the configuration enables')).action((flags: StartFlags) =>
    start(flags),
  );
  teleport
    .command('configure')
    .description('print a commented configuration for auth and proxy in one process')
    .option('--cluster-name <name>', 'name of the cluster')
    .option('--public-addr <host:port>', 'the address that people and agents dial')
    .option('--data-dir <dir>', 'where state is kept')
    .option('--cert-file <file>', 'web certificate')
    .option('--key-file <file>', 'key of the web certificate')
    .option('-o, --output <where>', 'stdout, file, or file:///path', 'stdout')
    .action(async (flags: ConfigureFlags) => (await import('#configure/configure.ts')).configure(flags));
  const db = teleport.command('db').description('the database agent');
  withDatabaseFlags(
    db
      .command('configure')
      .description('write a configuration')
      .command('create')
      .description('write the configuration of a database agent'),
  )
    .option('-o, --output <where>', 'stdout, file, or file:///path', 'stdout')
    .action(async (flags: DatabaseFlags & { output: string }) => (await import('#configure/database-agent.ts')).configureDatabase(flags));
  withStartFlags(withDatabaseFlags(db.command('start').description('start a database agent from flags or a configuration'))).action(
    async (flags: DatabaseFlags & StartFlags) => {
      const { needsFlags } = await import('#configure/agent-file.ts');
      const { databaseAgentText } = await import('#configure/database-agent.ts');
      await start(needsFlags(flags) ? { ...flags, text: databaseAgentText(flags) } : flags);
    },
  );
  const app = teleport.command('app').description('the application agent: the AWS console and API');
  withAppFlags(
    app
      .command('configure')
      .description('write a configuration')
      .command('create')
      .description('write the configuration of an application agent'),
  )
    .option('-o, --output <where>', 'stdout, file, or file:///path', 'stdout')
    .action(async (flags: AppFlags & { output: string }) => (await import('#configure/app-agent.ts')).configureApp(flags));
  withStartFlags(withAppFlags(app.command('start').description('start an application agent from flags or a configuration'))).action(
    async (flags: AppFlags & StartFlags) => {
      const { needsFlags } = await import('#configure/agent-file.ts');
      const { appAgentText } = await import('#configure/app-agent.ts');
      await start(needsFlags(flags) ? { ...flags, text: appAgentText(flags) } : flags);
    },
  );
  teleport
    .command('install')
    .description('install into the system')
    .command('systemd')
    .description('write a hardened unit file')
    .option('-o, --output <file>', 'where to write it; stdout where nothing is given')
    .option('--env-file <file>', 'environment of the service', '/etc/default/teleport')
    .option('--config <file>', 'its configuration', DEFAULT_CONFIG)
    .option('--data-dir <dir>', 'where it keeps state', '/var/lib/teleport')
    .option('--teleport-path <file>', 'the program to start')
    .action(async (flags: { output?: string; envFile: string; config: string; dataDir: string; teleportPath?: string }) => {
      (await import('#install/systemd.ts')).installSystemd(flags);
    });
  teleport
    .command('version')
    .description('the version of teleport')
    .addOption(formatOption())
    .action(async ({ format }: { format: Format }) => (await import('@postern/terminal/version')).printVersion(version, format));
  return dressCommands(teleport, examples);
}

function withStartFlags(command: Command): Command {
  return command
    .option('-c, --config <file>', `teleport.yaml (TELEPORT_CONFIG_FILE), ${DEFAULT_CONFIG} where none is given`)
    .option('--diag-addr <host:port>', 'serve /healthz, /readyz and /metrics here')
    .option('--pid-file <file>', 'write the process id here')
    .option('--insecure', 'do not verify the web certificate of the proxy when joining');
}

function withAgentFlags(command: Command): Command {
  return command
    .option('--token <token>', 'join token, or the path of a file that holds it')
    .option('--ca-pin <pin>', 'pin of the host CA; may be given several times', collectList)
    .option('--proxy <host:port>', 'the proxy of the cluster')
    .option('--data-dir <dir>', 'where the agent keeps state');
}

function withAppFlags(command: Command): Command {
  return withAgentFlags(command)
    .option('--name <name>', 'name of the application')
    .option('--uri <uri>', 'where the console opens, such as https://console.aws.amazon.com/console/home')
    .option('--cloud <cloud>', 'AWS, in place of an address')
    .option('--public-addr <host>', 'the host name under which browsers reach it')
    .option('--labels <k=v,...>', 'its labels', parseLabels);
}

function withDatabaseFlags(command: Command): Command {
  return withAgentFlags(command)
    .option('--name <name>', 'name of the database')
    .option('--protocol <protocol>', 'dynamodb')
    .option('--uri <uri>', 'where the database is; for DynamoDB the region is enough')
    .option('--labels <k=v,...>', 'its labels', parseLabels)
    .option('--aws-region <region>', 'its AWS region')
    .option('--aws-account-id <id>', 'its AWS account');
}
