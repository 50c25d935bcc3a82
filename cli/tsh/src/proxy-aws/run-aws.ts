import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { PosternError } from '@postern/api/errors';
import { type GlobalOptions, signedIn } from '@postern/profile/signed-in';
import { say } from '@postern/terminal/output';
import { messageOf } from '@postern/terminal/run-program';
import { appInUse } from '#apps/app-in-use.ts';
import { openAwsDoor } from '#proxy-aws/aws-door.ts';
import { behindDoor } from '#proxy-aws/door-variables.ts';
import { limitedNotices } from '#sessions/limited-notices.ts';

export interface RunAwsOptions {
  readonly globals: GlobalOptions;
  readonly app?: string;
  readonly awsRole?: string;
  /** Another program than `aws`. */
  readonly exec?: string;
  readonly args: readonly string[];
}

/** Runs a program behind a proxy of its own; returns the exit code to leave with: the program's, or 128 and its signal's number. */
export async function runAws(options: RunAwsOptions): Promise<number> {
  const { app, awsRole, exec = 'aws', args } = options;
  const who = signedIn(options.globals, process.env, Date.now());
  const use = await appInUse(who, { ...(app === undefined ? {} : { app }), ...(awsRole === undefined ? {} : { awsRole }) });
  const notice = limitedNotices(say);
  const door = await openAwsDoor(who, use, { env: process.env, notice });
  try {
    await door.connect().catch((error: unknown) => {
      // The program would try again for half a minute, and say last what is known now. Of anything else the next try may get another answer.
      if (error instanceof PosternError && error.code === 'cannot_connect') throw error;
      notice(messageOf(error));
    });
    return await run(exec, args, behindDoor(process.env, door.variables));
  } finally {
    door.close();
  }
}

/** As shells count. */
const BY_SIGNAL = 128;

function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env, stdio: 'inherit' });
    // The terminal sends Ctrl-C to both: the program decides what it means. What is sent to tsh alone is passed on.
    const passOn = (signal: NodeJS.Signals) => void child.kill(signal);
    const ignore = () => undefined;
    process.on('SIGINT', ignore).on('SIGQUIT', ignore).on('SIGTERM', passOn).on('SIGHUP', passOn);
    child.once('error', (error: NodeJS.ErrnoException) => reject(cannotRun(program, error)));
    child.once('exit', (code, signal) => {
      process.off('SIGINT', ignore).off('SIGQUIT', ignore).off('SIGTERM', passOn).off('SIGHUP', passOn);
      resolve(code ?? BY_SIGNAL + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}

function cannotRun(program: string, error: NodeJS.ErrnoException): PosternError {
  if (error.code === 'ENOENT' && program === 'aws')
    return new PosternError('not_found', 'the AWS CLI is not installed: install aws, or run another program with --exec=<program>', {
      cause: error,
    });
  if (error.code === 'ENOENT')
    return new PosternError('not_found', `${program} is not on PATH: write the program's whole path after --exec`, { cause: error });
  return new PosternError('bad_request', `${program} cannot be started: ${error.code ?? 'unknown error'}`, { cause: error });
}
