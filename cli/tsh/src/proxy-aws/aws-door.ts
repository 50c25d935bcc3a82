import { CONNECT_KEYS } from '@postern/api/connect-keys';
import type { SignedIn } from '@postern/profile/signed-in';
import { messageOf } from '@postern/terminal/run-program';
import type { PosternError } from '@postern/api/errors';
import { type AppInUse, putBundle } from '#apps/app-login.ts';
import { renewKey } from '#apps/local-key.ts';
import { loggedOut } from '#apps/logged-out.ts';
import { signingKey } from '#apps/signing-key.ts';
import { listenLocally, localAddress } from '#local-port/listen-locally.ts';
import type { DoorVariables } from '#proxy-aws/door-variables.ts';
import { LocalCertificates } from '#proxy-aws/local-certificates.ts';
import { OwnHosts } from '#proxy-aws/own-hosts.ts';
import { refusalText } from '#proxy-aws/refusal-text.ts';
import { serveProxyConnection } from '#proxy-aws/serve-proxy-connection.ts';
import { sessionOver } from '#sessions/session-over.ts';

export interface AwsDoorOptions {
  readonly port?: number;
  /** For a key that takes the place of the login's: see signingKey. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly notice: (line: string) => void;
}

export interface AwsDoor {
  readonly port: number;
  readonly variables: DoorVariables;
  /** Why it opens nothing any more: the login that it serves under was taken away. */
  loggedOut(): PosternError | undefined;
  /** The first request should find the session open; where this rejects, a later one may. */
  connect(): Promise<void>;
  close(): void;
}

/** The forward proxy of one application under one role. */
export async function openAwsDoor(who: SignedIn, { login, key }: AppInUse, options: AwsDoorOptions): Promise<AwsDoor> {
  const { env, notice } = options;
  const caBundle = putBundle(who, login);
  const { accessKeyId, secretAccessKey } = signingKey(env, key);
  const localKey = `${accessKeyId}:${secretAccessKey}`;
  const certificates = new LocalCertificates(login.authority);
  const session = sessionOver(who, key.grant, { notice, onRenewed: (grant) => renewKey(who, key, grant) });
  const address = localAddress({ anywhere: false, ...(options.port === undefined ? {} : { port: options.port }) });
  const ownHosts = new OwnHosts({
    describe: () => session.describe(),
    onUnknown: (error) => notice(`which hosts the application names as its own is not known: ${messageOf(error)}`),
  });
  const listener = await listenLocally(address, (socket, port) => {
    void serveProxyConnection(socket, {
      openStream: (headers) => {
        // At once, and not only when whoever waits for the end of the door looks next.
        const over = loggedOut(who, key);
        return over === undefined ? session.openStream(headers) : Promise.reject(over);
      },
      headers: { [CONNECT_KEYS.localPort]: String(port), [CONNECT_KEYS.localKey]: localKey },
      certificates,
      isOwnHost: (host) => ownHosts.has(host),
      refusal: refusalText('tsh proxy aws'),
      notice,
    });
  }).catch((error: unknown) => {
    session.close();
    throw error;
  });
  return {
    port: listener.port,
    variables: { accessKeyId, secretAccessKey, caBundle, proxy: `http://127.0.0.1:${listener.port}` },
    loggedOut: () => loggedOut(who, key),
    connect: () => session.connect(),
    close: () => {
      listener.close();
      session.close();
    },
  };
}
