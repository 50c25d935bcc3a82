import { Command, InvalidArgumentError, Option } from 'commander';
import { addAppCommands, addAwsCommands, addProxyAws } from '#aws-commands.ts';
import { examples } from '#examples.ts';
import { withPassThrough } from '#pass-through.ts';
import { portNumber } from '#port-number.ts';
import type { GlobalOptions } from '@postern/profile/signed-in';
import { collectList, type Format, formatOption, parseLabels } from '@postern/terminal/output';
import { dressCommands } from '@postern/terminal/dress-commands';
import { versionText } from '@postern/terminal/version';
import { runProgram } from '@postern/terminal/run-program';

/** The command line of tsh. Each command is loaded when it is called: nothing here may import gRPC, zod or yaml. */
export function runTsh(argv: readonly string[], version: string): Promise<never> {
  return runProgram(tshProgram(version), withPassThrough(argv));
}

export function tshProgram(version: string): Command {
  const tsh = new Command('tsh')
    .description('sign in to a cluster and reach its databases and applications')
    .exitOverride()
    .version(versionText(version), '--version', 'the version, as the command of this name has it')
    .option('--proxy <host:port>', 'the proxy of the cluster (TELEPORT_PROXY)')
    .option('--user <name>', 'the user to sign in as (TELEPORT_USER)')
    .addOption(new Option('--ttl <minutes>', 'how long the sign-in should last').argParser(positive))
    .option('--insecure', 'do not verify the cluster; a warning is printed each time')
    .option('-d, --debug', 'print the stack of an error');
  const globals = () => tsh.opts<GlobalOptions & { ttl?: number }>();

  tsh
    .command('login')
    .description('sign in; the password comes from the terminal, or from standard input where that is none')
    .option('--ca-pin <pin>', 'pin of the host CA (tctl status); may be given several times', collectList)
    .action(async (options: { caPin?: string[] }) => {
      const { login } = await import('#login/login.ts');
      await login({ globals: globals(), caPins: options.caPin ?? [], ttlMinutes: globals().ttl, clientVersion: version });
    });
  tsh
    .command('logout')
    .description('end every sign-in, or the one that --proxy and --user name: its keys, its sessions and its local ports')
    .action(async () => (await import('#login/logout.ts')).logout(globals()));
  tsh
    .command('status')
    .description('who is signed in, where, and for how long')
    .addOption(formatOption())
    .action(async (options: { format: Format }) => (await import('#login/status.ts')).status(globals(), options.format));
  tsh
    .command('version')
    .description('the version of tsh')
    .addOption(formatOption())
    .action(async (options: { format: Format }) => {
      const { printVersion } = await import('@postern/terminal/version');
      await printVersion(version, options.format);
    });
  addDatabaseCommands(tsh, globals);
  addAppCommands(tsh, globals);
  addAwsCommands(tsh, globals);
  addProxyCommands(tsh, globals);
  return dressCommands(tsh, examples);
}

function addDatabaseCommands(tsh: Command, globals: () => GlobalOptions): void {
  const db = tsh.command('db').description('databases');
  db.command('ls')
    .description('the databases that you may reach')
    .argument('[labels]', 'only those with these labels: k=v,k2=v2', parseLabels)
    .option('-v, --verbose', 'protocol, type and URI too')
    .option('--search <words>', 'only those that hold each of these words', collectList)
    .addOption(formatOption())
    .action(async (labels: Record<string, string> | undefined, options: { verbose?: boolean; search?: string[]; format: Format }) => {
      const { listDatabases } = await import('#databases/list-databases.ts');
      await listDatabases({ globals: globals(), labels: labels ?? {}, ...options });
    });
  db.command('login')
    .description('get a certificate for a database')
    .argument('<name>')
    .option('-u, --db-user <role>', 'the IAM role to assume')
    .action(async (name: string, options: { dbUser?: string }) => {
      const { loginToDatabase } = await import('#databases/login-to-database.ts');
      await loginToDatabase({ globals: globals(), name, dbUser: options.dbUser });
    });
  db.command('logout')
    .description('forget the certificate of one database, or of all')
    .argument('[name]')
    .action(async (name: string | undefined) => {
      const { logoutOfDatabase } = await import('#databases/logout-of-database.ts');
      logoutOfDatabase({ globals: globals(), name });
    });
  for (const what of ['connect', 'config', 'env'] as const) {
    db.command(what)
      .description('not for DynamoDB: says what to run instead')
      .argument('[name]')
      .option('-u, --db-user <role>')
      .addOption(formatOption())
      .action(async (name: string | undefined, options: { dbUser?: string }) => {
        const { refuseDirectUse } = await import('#databases/refuse-direct-use.ts');
        refuseDirectUse({ command: `tsh db ${what}`, name, dbUser: options.dbUser });
      });
  }
}

function addProxyCommands(tsh: Command, globals: () => GlobalOptions): void {
  const proxy = tsh.command('proxy').description('local doors to resources of the cluster');
  proxy
    .command('db')
    .description('serve a database on a local port')
    .argument('<name>')
    .option('--tunnel', 'sign each request in the cluster; needed for DynamoDB')
    .addOption(new Option('-p, --port <port>', 'the local port; a free one is taken where none is given').argParser(portNumber))
    .option('--listen <host:port>', 'the local address, loopback only')
    .option('--insecure-listen-anywhere', 'allow an address that other machines can reach')
    .option('-u, --db-user <role>', 'the IAM role to assume')
    .action(
      async (
        name: string,
        options: { tunnel?: boolean; port?: number; listen?: string; insecureListenAnywhere?: boolean; dbUser?: string },
      ) => {
        const { proxyDatabase } = await import('#proxy-db/proxy-database.ts');
        await proxyDatabase({ globals: globals(), name, ...options });
      },
    );
  addProxyAws(proxy, globals);
}

function positive(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1) throw new InvalidArgumentError('Write a whole number of minutes, 1 or more.');
  return value;
}
