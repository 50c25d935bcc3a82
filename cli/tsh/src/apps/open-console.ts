import { spawn } from 'node:child_process';
import { AgentSession, callUnary, type ConsoleSignIn, wasAnswered } from '@postern/api';
import { PosternError } from '@postern/api/errors';
import { isSignInUrl } from '@postern/aws';
import { openSessionChannel } from '@postern/membership';
import { reachAuth } from '@postern/profile/reach-auth';
import { type GlobalOptions, type SignedIn, signedIn } from '@postern/profile/signed-in';
import { durationText, say } from '@postern/terminal/output';
import { appInUse } from '#apps/app-in-use.ts';
import { handOver } from '#apps/hand-over.ts';
import { isAway } from '#sessions/is-away.ts';
import { issueGrant, type SessionGrant } from '#sessions/session-grant.ts';
import { shown, wordsOf } from '#sessions/resource-kind.ts';

export interface OpenConsoleOptions {
  readonly globals: GlobalOptions;
  readonly name: string | undefined;
  readonly awsRole?: string;
  readonly destination?: string;
  readonly print?: boolean;
  /** A command that takes the address; `none`: it is printed. */
  readonly browser?: string;
}

/** Opens the AWS console under the role. Whoever has the address within some minutes is signed in: it is printed only when asked for. */
export async function openConsole(options: OpenConsoleOptions): Promise<void> {
  const who = signedIn(options.globals, process.env, Date.now());
  const { key } = await appInUse(who, {
    ...(options.name === undefined ? {} : { app: options.name }),
    isOperand: true,
    ...(options.awsRole === undefined ? {} : { awsRole: options.awsRole }),
  });
  const { url, sessionSeconds } = await signIn(who, key.grant, options.destination ?? '');
  // It goes to a terminal, or becomes an argument of another program; and a stolen agent sends nobody to a page of its own.
  if (!isSignInUrl(url)) throw new PosternError('internal', "the agent answered with something that is no address of AWS's sign-in");
  if (options.print === true || options.browser === 'none') return void process.stdout.write(`${url}\n`);
  say('Opening the AWS console in the browser…');
  const opened = await open(options.browser ?? systemBrowser(), url);
  if (!opened)
    throw new PosternError('bad_request', 'no browser has opened it: run the command again with --print, and open what it prints');
  say(`Opened the AWS console as ${key.roleArn} for ${durationText(sessionSeconds * 1000)}.`);
}

/** What auth named when the session was granted may be gone: once more with those that serve now. */
async function signIn(who: SignedIn, grant: SessionGrant, destination: string): Promise<ConsoleSignIn> {
  try {
    return await ask(who, grant, destination);
  } catch (error) {
    if (!isAway(error)) throw error;
  }
  try {
    return await ask(who, await issueGrant(who, grant), destination);
  } catch (error) {
    // An agent that has no AWS credentials answers as well, and knows best why it cannot.
    if (!isAway(error) || wasAnswered(error)) throw error;
    throw new PosternError('unavailable', `no agent of ${shown(grant)} answers: try again later`, { cause: error });
  }
}

function ask({ profile }: SignedIn, grant: SessionGrant, destination: string): Promise<ConsoleSignIn> {
  const { ticket, hostCaPems, agentIds, certificatePem, privateKeyPem, kind } = grant;
  const channel = openSessionChannel({
    address: profile.proxy,
    ticket,
    hostCaPems,
    cluster: profile.cluster,
    kind: wordsOf[kind].agents,
    agentIds,
    client: { certificatePem, privateKeyPem },
  });
  return reachAuth(channel, profile.proxy, (client) => callUnary(client, AgentSession.signInToConsole, { destination, issuer: '' }));
}

/** A browser that has to start first, on a slow machine. */
const COMES_MS = 60_000;

function systemBrowser(): string {
  if (process.platform === 'darwin') return 'open';
  return process.platform === 'win32' ? 'explorer' : 'xdg-open';
}

/** False where it cannot be started, says that it cannot open anything, or never comes for the address. */
async function open(browser: string, url: string): Promise<boolean> {
  const over = await handOver(url);
  const { promise: gone, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), COMES_MS);
  const child = spawn(browser, [over.address], { stdio: 'ignore', detached: true });
  child.once('error', () => resolve(false)).once('exit', (code) => code !== 0 && resolve(false));
  child.unref();
  try {
    return await Promise.race([gone, over.taken.then(() => true)]);
  } finally {
    clearTimeout(timer);
    over.close();
  }
}
