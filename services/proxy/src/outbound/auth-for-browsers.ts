import { callUnaryOver, RawConnection } from '@postern/tunnel';
import { CertsService, Identity_Kind, LoginService, PosternError, ResourcesService } from '@postern/api';
import { serverRefusal } from '@postern/api/server-refusal';
import {
  certificateDerOf,
  clientContextOptions,
  generateKey,
  identityOf,
  type IdentityMaterial,
  proxyHeader,
  serverIdentityCheck,
} from '@postern/pki';
import type { OwnApp } from '#browser/choose-role.ts';
import type { LaunchDeps } from '#browser/launch-console.ts';
import type { WebSession } from '#browser/web-sessions.ts';
import { serverVersion } from '#config.ts';
import type { Member } from '#outbound/cluster.ts';
import { AUTH_SERVER_NAME } from '#tcp/doors.ts';
import { dialAuth, type DialAuthOptions } from '#tcp/dial-auth.ts';
import { splitAddress } from '#tcp/split-address.ts';

export interface AuthForBrowsersOptions extends DialAuthOptions {
  readonly member: Pick<Member, 'cluster' | 'current'>;
  /** Proves the client's address to auth. */
  readonly signingKey: () => Buffer | undefined;
  readonly nowMs: () => number;
}

const DEADLINE_MS = 15_000;
const PAGE_SIZE = 200;
const MAX_PAGES = 50;

/**
 * Calls auth in the name of a person at a browser, with his certificate or with none, as tsh would: limits, decisions and records are
 * auth's, and the address that they count for is the browser's.
 */
export class AuthForBrowsers {
  readonly #options: AuthForBrowsersOptions;
  constructor(options: AuthForBrowsersOptions) {
    this.#options = options;
  }

  async signIn(asked: { readonly user: string; readonly password: string; readonly clientAddress: string }): Promise<WebSession> {
    const { user, password, clientAddress } = asked;
    const key = generateKey();
    const request = { user, password, publicKey: key.publicKeyDer, ttlSeconds: 0, clientVersion: serverVersion };
    const { certificatePem, validUntilMs } = await this.#call({ clientAddress }, (connection) =>
      callUnaryOver(connection, LoginService.signIn, request, { deadlineMs: DEADLINE_MS }),
    );
    const { name, roles } = identityOf(certificateDerOf(certificatePem));
    return { user: name, roles, certificatePem, privateKeyPem: key.privateKeyPem, endsMs: validUntilMs };
  }

  /** The applications that a person may see, by name, each with the roles that he may ask for. */
  async appsOf(session: WebSession, clientAddress: string): Promise<readonly OwnApp[]> {
    return this.#call({ clientAddress, session }, async (connection) => {
      const apps = new Map<string, OwnApp>();
      let pageToken = '';
      for (let page = 0; page < MAX_PAGES; page++) {
        const request = { kind: 'app_server', withSecrets: false, pageSize: PAGE_SIZE, pageToken };
        const answer = await callUnaryOver(connection, ResourcesService.listResources, request, { deadlineMs: DEADLINE_MS });
        for (const { json } of answer.resources) {
          const server = JSON.parse(json.toString('utf8')) as SentApp;
          if (serverRefusal(server) !== undefined) continue;
          const app = readApp(server);
          apps.set(app.name, app);
        }
        pageToken = answer.nextPageToken;
        if (pageToken === '') break;
      }
      return [...apps.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    });
  }

  readonly grant: LaunchDeps['grant'] = async ({ session, app, role, publicKey, clientAddress }) => {
    const request = { resourceKind: 'app', resourceName: app, principal: role, publicKey, ttlSeconds: 0 };
    return this.#call({ clientAddress, session }, (connection) =>
      callUnaryOver(connection, CertsService.issueSessionCert, request, { deadlineMs: DEADLINE_MS }),
    );
  };

  async #call<T>(
    as: { readonly clientAddress: string; readonly session?: IdentityMaterial },
    ask: (connection: RawConnection) => Promise<T>,
  ): Promise<T> {
    const { member, nowMs, authAddress, connectAuthMs, pulse } = this.#options;
    const { hostCaPems } = member.current();
    const connection = new RawConnection({
      address: 'auth',
      serverName: AUTH_SERVER_NAME,
      context: clientContextOptions(hostCaPems, as.session),
      checkServer: serverIdentityCheck({ cluster: member.cluster, kinds: [Identity_Kind.AUTH], hostCaPems, nowMs }),
      dial: async () => {
        const socket = await dialAuth({ authAddress, connectAuthMs, pulse });
        const key = this.#options.signingKey();
        const { host, port } = splitAddress(as.clientAddress);
        if (key !== undefined) socket.write(proxyHeader({ clientAddress: host, clientPort: port, key }));
        return socket;
      },
    });
    try {
      await connection.ready.catch((cause: unknown) => {
        throw new PosternError('unavailable', 'auth does not answer now: try again', { cause });
      });
      return await ask(connection);
    } finally {
      connection.end();
    }
  }
}

interface SentApp {
  readonly metadata?: { readonly name?: string };
  readonly users?: { readonly allowed?: readonly string[] };
  readonly spec?: { readonly app?: { readonly metadata?: { readonly description?: string } } };
}

function readApp({ metadata, users, spec }: SentApp): OwnApp {
  return { name: metadata?.name ?? '', description: spec?.app?.metadata?.description ?? '', roles: users?.allowed ?? [] };
}
