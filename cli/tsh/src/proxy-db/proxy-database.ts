import { PosternError } from '@postern/api/errors';
import { askForDbUser } from '#databases/ask-for-db-user.ts';
import { useTunnel } from '#databases/refuse-direct-use.ts';
import { databaseRefusal, type RefusalText } from '#local-port/aws-refusal.ts';
import { listenLocally, type LocalListener, localAddress } from '#local-port/listen-locally.ts';
import { refusalOf } from '#local-port/local-guard.ts';
import { serveConnection } from '#local-port/serve-connection.ts';
import { endSessions } from '#sessions/end-sessions.ts';
import { firstGrant } from '#sessions/first-grant.ts';
import { limitedNotices } from '#sessions/limited-notices.ts';
import type { ResourceSession } from '#sessions/resource-session.ts';
import { grantFromJson, type SessionGrant, sessionIdOf } from '#sessions/session-grant.ts';
import { sessionOver } from '#sessions/session-over.ts';
import { untilStopped } from '#sessions/until-stopped.ts';
import { CONNECT_KEYS } from '@postern/api/connect-keys';
import { type GlobalOptions, signedOut, type SignedIn, signedIn } from '@postern/profile/signed-in';
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

const refusal: RefusalText = ({ kind, message }) => databaseRefusal(kind, `tsh proxy db: ${message}`);

/** Serves the database on a local port until Ctrl-C, logout or the end of the login. */
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
  const dbUser = asked ?? keptGrant(who, name)?.principal ?? (await askForDbUser(who, name));
  const first = await firstGrant(who, { kind: 'db', name, principal: dbUser }, keptGrant(who, name));

  let session: ResourceSession | undefined;
  const notice = limitedNotices(say);
  const loggedOut = () => signedOut(who);
  const listener = await listenLocally(address, (socket, port) => {
    if (session === undefined) return void socket.destroy();
    const current = session;
    const headers = { [CONNECT_KEYS.localPort]: String(port) };
    void serveConnection(socket, {
      openStream: () => {
        // At once, and not only when the door looks next.
        const over = loggedOut();
        return over === undefined ? current.openStream(headers) : Promise.reject(over);
      },
      guard: (head) => refusalOf(head, { port, allowAddresses: anywhere }),
      refusal,
      notice,
    });
  });
  session = sessionOver(who, first, { notice });
  try {
    // The first request should find the session open; where no agent answers yet, a later one may.
    await session.connect().catch((error: unknown) => notice(messageOf(error)));
    if (anywhere) warn(`${listener.host} can be reached from other machines: whoever reaches it uses your access`);
    process.stdout.write(started({ name, cluster: who.profile.cluster, listener, random: address.port === 0 }));
    await untilStopped(who, { loggedOut, notice });
  } finally {
    listener.close();
    session.close();
    // It lies in no file, so that the logout could not end it.
    if (loggedOut() !== undefined) await endSessions(who, [sessionIdOf(session.grant)]);
  }
}

function keptGrant({ store, profile }: SignedIn, name: string): SessionGrant | undefined {
  const text = store.kept(profile, 'db').load(name);
  return text === undefined ? undefined : grantFromJson(text);
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
