import { randomUUID } from 'node:crypto';
import { type Caller, Identity, Identity_Kind, implement, PosternError, services, type ServedService } from '@postern/api';
import { type Authority, issueCertificate, makeTicket, resourceId } from '@postern/pki';

const HOUR_MS = 3_600_000;

/** What auth knows of people and of what they may use; a test changes it while the cluster runs. */
export interface TestPeople {
  /** Name to password; a name that is gone is a user who was deleted. */
  readonly passwords: Map<string, string>;
  readonly roles: readonly string[];
  apps: readonly {
    readonly name: string;
    readonly description?: string;
    readonly roles: readonly string[];
    readonly agentIds: readonly string[];
    /** Why auth refused its announcement, which it lists to whoever may read all servers. */
    readonly refused?: string;
  }[];
  readonly signIns: { readonly user: string; readonly address: string }[];
  /** Each session that was asked for, granted or not. */
  readonly asked: string[];
}

interface PeopleOptions {
  readonly cluster: string;
  readonly ticketKey: Buffer;
  readonly host: Authority;
  readonly user: Authority;
  readonly people: TestPeople;
}

export function peopleServices(options: PeopleOptions, common: Parameters<typeof implement>[2]): readonly ServedService[] {
  const { people, cluster } = options;
  const issue = async (identity: Partial<Identity>, publicKey: Buffer) => {
    const nowMs = Date.now();
    const full = Identity.fromPartial({ cluster, roles: [...people.roles], generation: 'g', ...identity });
    return issueCertificate({ authority: options.user, identity: full, publicKey, notAfterMs: nowMs + HOUR_MS, nowMs });
  };
  const login = implement(
    services.login,
    {
      async signIn({ user, password, publicKey }, { caller }) {
        people.signIns.push({ user, address: caller.address });
        if (people.passwords.get(user) !== password)
          throw new PosternError('unauthenticated', 'sign-in refused: wrong user name or password, or the user is locked');
        const { certificatePem, notAfterMs } = await issue({ kind: Identity_Kind.USER, name: user }, publicKey);
        return { certificatePem, hostCaPems: [options.host.certificatePem], cluster, validUntilMs: notAfterMs };
      },
    },
    common,
  );
  const certs = implement(
    services.certs,
    {
      renewHostCert: () => Promise.reject(new PosternError('unimplemented', 'not asked here')),
      endSession: () => Promise.reject(new PosternError('unimplemented', 'not asked here')),
      async issueSessionCert({ resourceName, principal, publicKey }, { caller }) {
        const user = userOf(people, caller);
        people.asked.push(`${user} ${resourceName} ${principal}`);
        const app = people.apps.find(({ name }) => name === resourceName);
        if (app?.roles.includes(principal) !== true)
          throw new PosternError('denied', `no role allows principal ${principal} on app/${resourceName}`);
        const route = { resourceKind: 'app', resourceName, principal };
        const sessionId = randomUUID();
        const { certificatePem, notAfterMs } = await issue({ kind: Identity_Kind.SESSION, name: user, route, sessionId }, publicKey);
        const ticket = makeTicket({ resourceId: resourceId('app', resourceName), expiresMs: notAfterMs, key: options.ticketKey });
        const hostCaPems = [options.host.certificatePem];
        return { certificatePem, ticket, agentIds: [...app.agentIds], hostCaPems, validUntilMs: notAfterMs, protocol: '', sessionId };
      },
    },
    common,
  );
  return [login, certs];
}

export function listFor(people: TestPeople, kind: string, caller: Caller) {
  userOf(people, caller);
  const resources = (kind === 'app_server' ? people.apps : []).map(({ name, description = '', roles, refused }) => {
    const json = { metadata: { name }, users: { allowed: roles }, spec: { app: { metadata: { name, description }, status: { refused } } } };
    return { kind, name, revision: '1', json: Buffer.from(JSON.stringify(json)) };
  });
  return Promise.resolve({ resources, nextPageToken: '' });
}

function userOf(people: TestPeople, caller: Caller): string {
  const name = caller.kind === 'identified' ? caller.identity.name : '';
  if (!people.passwords.has(name))
    throw new PosternError('unauthenticated', `the sign-in of ${name} is not valid any more: sign in again with tsh login`);
  return name;
}
