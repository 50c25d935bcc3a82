import { type GlobalOptions, signedIn } from '@postern/profile/signed-in';
import { say } from '@postern/terminal/output';
import { messageOf } from '@postern/terminal/run-program';
import { appInUse } from '#apps/app-in-use.ts';
import { openAwsDoor } from '#proxy-aws/aws-door.ts';
import { startedText, type VariableFormat } from '#proxy-aws/door-variables.ts';
import { limitedNotices } from '#sessions/limited-notices.ts';
import { untilStopped } from '#sessions/until-stopped.ts';

export interface ProxyAwsOptions {
  readonly globals: GlobalOptions;
  readonly app?: string;
  readonly awsRole?: string;
  readonly port?: number;
  readonly format: VariableFormat;
}

/** Serves the AWS API under one role through an HTTPS proxy on a local port, until Ctrl-C, logout or the end of the login. */
export async function proxyAws(options: ProxyAwsOptions): Promise<void> {
  const { app, awsRole, port, format } = options;
  const who = signedIn(options.globals, process.env, Date.now());
  const use = await appInUse(who, { ...(app === undefined ? {} : { app }), ...(awsRole === undefined ? {} : { awsRole }) });
  const notice = limitedNotices(say);
  const door = await openAwsDoor(who, use, { env: process.env, notice, ...(port === undefined ? {} : { port }) });
  try {
    await door.connect().catch((error: unknown) => notice(messageOf(error)));
    process.stdout.write(startedText(door.variables, { format, random: port === undefined || port === 0 }));
    await untilStopped(who, { loggedOut: () => door.loggedOut(), notice });
  } finally {
    door.close();
  }
}
