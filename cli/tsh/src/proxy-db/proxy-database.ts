import { PosternError } from '@postern/api/errors';
import { askForDbUser } from '#databases/ask-for-db-user.ts';
import { useTunnel } from '#databases/refuse-direct-use.ts';
import { grantFromJson, issueGrant, type SessionGrant } from '#databases/session-grant.ts';
import { type GlobalOptions, loginExpired, type SignedIn, signedIn } from '@postern/profile/signed-in';
import { AgentChannel } from '#proxy-db/agent-channel.ts';
import { DatabaseSession } from '#proxy-db/database-session.ts';
import { listenLocally, type LocalListener, localAddress } from '#proxy-db/listen-locally.ts';
import { serveConnection } from '#proxy-db/serve-connection.ts';
import { say, warn } from '@postern/terminal/output';
import { messageOf } from '@postern/terminal/run-program';

export interface ProxyDatabaseOptions {
  readonly globals: GlobalOptions;
  readonly name: string;
  readonly dbUser?: string;
  readonly tunnel?: boolean;
  readonly port?: number;
  readonly listen?: string;
  readonly insecureListenAnywhere?: boolean;
}
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Serves the database on a local port until Ctrl-C, or until the login expires. */
export async function proxyDatabase(options: ProxyDatabaseOptions): Promise<void> {
  const { name, dbUser: asked } = options;
  const anywhere = options.insecureListenAnywhere === true;
  if (options.tunnel !== true) {
    throw new PosternError(
      'bad_request',
      `tsh proxy db without the --tunnel flag is not supported when: database protocol is DynamoDB\n${useTunnel({ name, dbUser: asked })}`,
    );
  }
  const address = localAddress({
    anywhere,
    ...(options.listen === undefined ? {} : { listen: options.listen }),
    ...(options.port === undefined ? {} : { port: options.port }),
  });
  const who = signedIn(options.globals, process.env, Date.now());
  const dbUser = asked ?? keptGrant(who, name)?.dbUser ?? (await askForDbUser(who, name));
  const first = await firstGrant(who, name, dbUser);

  let session: DatabaseSession | undefined;
  const notice = limited(say);
  const listener = await listenLocally(address, (socket, port) => {
    if (session === undefined) return void socket.destroy();
    const current = session;
    void serveConnection(socket, { openStream: () => current.openStream(), guard: { port, allowAddresses: anywhere }, notice });
  });
  const { profile } = who;
  session = new DatabaseSession(first, {
    issue: () => issueGrant(who, name, dbUser),
    open: (grant) => new AgentChannel({ proxy: profile.proxy, cluster: profile.cluster, grant, localPort: listener.port }),
    loginUntilMs: profile.validUntilMs,
    nowMs: Date.now,
    onRenewalFailed: (error) => notice(`cannot renew the certificate for "${name}": ${messageOf(error)}`),
  });
  try {
    // The first request should find the session open; where no agent answers yet, a later one may.
    await session.connect().catch((error: unknown) => warn(messageOf(error)));
    if (anywhere) warn(`${listener.host} can be reached from other machines: whoever reaches it uses your access`);
    process.stdout.write(started({ name, cluster: profile.cluster, listener, random: address.port === 0 }));
    await untilStopped(who);
  } finally {
    listener.close();
    session.close();
  }
}

/** A certificate of `tsh db login` serves while auth cannot be asked. */
async function firstGrant(who: SignedIn, name: string, dbUser: string): Promise<SessionGrant> {
  try {
    return await issueGrant(who, name, dbUser);
  } catch (error) {
    const kept = keptGrant(who, name);
    const away = error instanceof PosternError && (error.code === 'unavailable' || error.code === 'cannot_connect');
    if (!away || kept?.dbUser !== dbUser || kept.validUntilMs <= Date.now()) throw error;
    warn(`${error.message}: going on with the certificate of an earlier tsh db login`);
    return kept;
  }
}

function keptGrant({ store, profile }: SignedIn, name: string): SessionGrant | undefined {
  const text = store.loadDatabase(profile, name);
  return text === undefined ? undefined : grantFromJson(text);
}

/** Resolves on Ctrl-C; rejects with exit code 3 when the login ends. A long sleep of the machine is noticed within a minute. */
function untilStopped({ profile }: SignedIn): Promise<void> {
  const LOOK_EVERY_MS = 60_000;
  // A clock that is turned back does not lengthen a login.
  const endsAtMs = performance.now() + profile.validUntilMs - Date.now();
  return new Promise((resolve, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
    const look = () => {
      const left = Math.min(profile.validUntilMs - Date.now(), endsAtMs - performance.now());
      if (left <= 0) reject(loginExpired(profile));
      else setTimeout(look, Math.min(left, LOOK_EVERY_MS, MAX_TIMER_MS));
    };
    look();
  });
}

function started(options: { name: string; cluster: string; listener: LocalListener; random: boolean }): string {
  const { name, cluster, listener, random } = options;
  const shown = listener.host.includes(':') ? `[${listener.host}]` : listener.host;
  const url = `http://${listener.host === '127.0.0.1' ? 'localhost' : shown}:${listener.port}`;
  return [
    `Started authenticated tunnel for the DynamoDB database "${name}" in cluster "${cluster}" on ${shown}:${listener.port}.`,
    ...(random ? ['To have the same port each time, choose one with --port.'] : []),
    '',
    'A desktop application such as NoSQL Workbench connects to this address as "DynamoDB local".',
    'Programs need some AWS credentials and a region set, whichever they are: they are replaced on the way.',
    '',
    'Use the following command to connect to the database:',
    `  $ aws dynamodb list-tables --endpoint-url=${url}`,
    '',
    '',
  ].join('\n');
}

/** A program that retries in a loop must not fill the terminal: the same line once in ten seconds. */
function limited(write: (line: string) => void): (line: string) => void {
  const QUIET_MS = 10_000;
  let last = { line: '', atMs: 0 };
  return (line) => {
    const atMs = Date.now();
    if (line === last.line && atMs - last.atMs < QUIET_MS) return;
    last = { line, atMs };
    write(line);
  };
}
