import { type AgentFlags, agentFileText } from '#configure/agent-file.ts';
import { writeConfiguration } from '#configure/output.ts';
import { say } from '@postern/terminal/output';
import { UsageError } from '@postern/terminal/usage-error';

export interface AppFlags extends AgentFlags {
  readonly name?: string;
  readonly uri?: string;
  readonly cloud?: string;
  readonly publicAddr?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export function configureApp(flags: AppFlags & { readonly output: string }): void {
  const file = writeConfiguration(flags.output, appAgentText(flags));
  if (file !== undefined) say(`next: teleport start -c ${file}`);
}

export function appAgentText(flags: AppFlags): string {
  return agentFileText(flags, {
    type: 'app',
    comment: 'Configuration of an application agent. An application from the cluster (tctl create) is served as well.',
    section: { resources: [{ labels: { '*': '*' } }], ...apps(flags) },
  });
}

function apps({ name, uri, cloud, publicAddr, labels }: AppFlags): object {
  if (name === undefined) return {};
  if (cloud !== undefined && cloud !== 'AWS') throw new UsageError(`--cloud: "${cloud}" is not supported: AWS is`);
  if (uri === undefined && cloud === undefined)
    throw new UsageError('--uri is missing: the address of the console, such as https://console.aws.amazon.com/console/home');
  const app = {
    name,
    ...(uri === undefined ? {} : { uri }),
    ...(cloud === undefined ? {} : { cloud }),
    ...(publicAddr === undefined ? {} : { public_addr: publicAddr }),
    ...(labels === undefined ? {} : { labels }),
  };
  return { apps: [app] };
}
