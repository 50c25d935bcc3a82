import { type Command, Option } from 'commander';
import type { GlobalOptions } from '@postern/profile/signed-in';
import { collectList, type Format, formatOption, parseLabels } from '@postern/terminal/output';
import { portNumber } from '#port-number.ts';

type Globals = () => GlobalOptions;
interface Chosen {
  readonly app?: string;
  readonly awsRole?: string;
}

const appFlag = () => new Option('--app <name>', 'the application, where you are logged in to several');
const roleFlag = () => new Option('--aws-role <name|arn>', 'the IAM role, where it is another than that of tsh apps login');

export function addAppCommands(tsh: Command, globals: Globals): void {
  const apps = tsh.command('apps').description('applications: the AWS console and API');
  apps
    .command('ls')
    .description('the applications that you may reach')
    .argument('[labels]', 'only those with these labels: k=v,k2=v2', parseLabels)
    .option('-v, --verbose', 'URI and IAM roles too')
    .option('--search <words>', 'only those that hold each of these words', collectList)
    .addOption(formatOption())
    .action(async (labels: Record<string, string> | undefined, options: { verbose?: boolean; search?: string[]; format: Format }) => {
      const { listApps } = await import('#apps/list-apps.ts');
      await listApps({ globals: globals(), labels: labels ?? {}, ...options });
    });
  apps
    .command('login')
    .description('get a session for an application under an IAM role')
    .argument('<name>')
    .option('--aws-role <name|arn>', 'the IAM role to assume; not needed where you have one')
    .action(async (name: string, options: { awsRole?: string }) => {
      const { loginToApp } = await import('#apps/login-to-app.ts');
      await loginToApp({ globals: globals(), name, awsRole: options.awsRole });
    });
  apps
    .command('logout')
    .description('forget the session, the keys and the profiles of one application, or of all')
    .argument('[name]')
    .action(async (name: string | undefined) => {
      const { logoutOfApp } = await import('#apps/logout-of-app.ts');
      await logoutOfApp({ globals: globals(), name });
    });
  apps
    .command('config')
    .description('paths and settings for programs that use an application')
    .argument('[name]')
    .addOption(roleFlag())
    .addOption(
      new Option('-f, --format <format>', 'what to print')
        .choices(['text', 'uri', 'ca', 'cert', 'key', 'json', 'yaml', 'aws-credential-process'])
        .default('text'),
    )
    .option('--require-up', 'fail where tsh up does not run')
    .action(async (name: string | undefined, options: { awsRole?: string; format: string; requireUp?: boolean }) => {
      const { appConfig, isAppConfigFormat } = await import('#apps/app-config.ts');
      const format = isAppConfigFormat(options.format) ? options.format : 'text';
      await appConfig({ globals: globals(), name, ...options, format });
    });
  apps
    .command('console')
    .description('open the AWS console under an IAM role')
    .argument('[name]')
    .addOption(roleFlag())
    .option('--destination <url>', 'the page of the console to open')
    .option('--print', 'print the address instead: whoever opens it within minutes is signed in')
    .option('--browser <command>', 'the browser to open it with')
    .action(async (name: string | undefined, options: { awsRole?: string; destination?: string; print?: boolean; browser?: string }) => {
      const { openConsole } = await import('#apps/open-console.ts');
      await openConsole({ globals: globals(), name, ...options });
    });
}

export function addAwsCommands(tsh: Command, globals: Globals): void {
  const aws = tsh
    .command('aws')
    .description('run the AWS CLI, or another program, under the IAM role of tsh apps login')
    .argument('[args...]', 'as aws takes them')
    .addOption(appFlag())
    .addOption(roleFlag())
    .option('--exec <program>', 'another program than aws')
    .action(async (args: string[], options: Chosen & { exec?: string }) => {
      const { runAws } = await import('#proxy-aws/run-aws.ts');
      process.exitCode = await runAws({ globals: globals(), args, ...options });
    });
  aws
    .command('configure')
    .description('write a profile that leads unmodified programs to the port of tsh up')
    .addOption(appFlag())
    .addOption(roleFlag())
    .option('--profile <name>', 'what the profile is called')
    .option('--region <region>', 'its region; programs may name any other')
    .action(async (options: Chosen & { profile?: string; region?: string }) => {
      const { configure } = await import('#endpoint/configure.ts');
      await configure({ globals: globals(), ...aws.opts<Chosen>(), ...options });
    });
  tsh
    .command('up')
    .description('serve every AWS application and role on one local port, in the background')
    .addOption(new Option('--port <port>', 'the local port; it is kept for the next time').argParser(portNumber))
    .option('--foreground', 'serve in this process, for a service manager')
    .action(async (options: { port?: number; foreground?: boolean }) => {
      const { up } = await import('#endpoint/up.ts');
      await up({ globals: globals(), ...options });
    });
  tsh
    .command('down')
    .description('stop what tsh up left behind')
    .action(async () => {
      const { down } = await import('#endpoint/down.ts');
      await down();
    });
}

export function addProxyAws(proxy: Command, globals: Globals): void {
  proxy
    .command('aws')
    .description('serve the AWS API through an HTTPS proxy on a local port')
    .addOption(appFlag())
    .addOption(roleFlag())
    .addOption(new Option('-p, --port <port>', 'the local port; a free one is taken where none is given').argParser(portNumber))
    .addOption(
      new Option('-f, --format <format>', 'how to print the settings')
        .choices(['unix', 'command-prompt', 'powershell', 'text', 'json'])
        .default('text'),
    )
    .action(async (options: Chosen & { port?: number; format: string }) => {
      const { proxyAws } = await import('#proxy-aws/proxy-aws.ts');
      const { isVariableFormat } = await import('#proxy-aws/door-variables.ts');
      await proxyAws({ globals: globals(), ...options, format: isVariableFormat(options.format) ? options.format : 'text' });
    });
}
