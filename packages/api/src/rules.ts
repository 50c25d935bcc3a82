import { AccessService } from '#gen/postern/v1/access.ts';
import { AuditService } from '#gen/postern/v1/audit.ts';
import { CertsService } from '#gen/postern/v1/certs.ts';
import { Identity_Kind } from '#gen/postern/v1/identity.ts';
import { JoinService } from '#gen/postern/v1/join.ts';
import { LoginService } from '#gen/postern/v1/login.ts';
import { PresenceService } from '#gen/postern/v1/presence.ts';
import { ResourcesService } from '#gen/postern/v1/resources.ts';
import { RouteKeysService } from '#gen/postern/v1/route_keys.ts';
import { StatusService } from '#gen/postern/v1/status.ts';
import { TokensService } from '#gen/postern/v1/tokens.ts';
import { UsersService } from '#gen/postern/v1/users.ts';
import { AgentSession, ReverseTunnel } from '#raw-bytes.ts';

/**
 * Who may call a method at all, by the kind of identity in the caller's certificate. What a user may do
 * beyond that is decided in the handler, from the `rules` of his roles.
 */
export type Rule = { readonly anyone: true } | { readonly kinds: readonly Identity_Kind[] };

const { USER, SESSION, DB_AGENT, APP_AGENT, PROXY, ADMIN } = Identity_Kind;
const anyone: Rule = { anyone: true };
const people: Rule = { kinds: [USER, ADMIN] };
const users: Rule = { kinds: [USER] };
const agents: Rule = { kinds: [DB_AGENT, APP_AGENT] };
const proxies: Rule = { kinds: [PROXY] };
const hosts: Rule = { kinds: [DB_AGENT, APP_AGENT, PROXY] };

/** Every service of the cluster: the definition that is served, and the rule of each of its methods. */
export const services = {
  join: { definition: JoinService, rules: { join: anyone } },
  login: { definition: LoginService, rules: { signIn: anyone } },
  certs: { definition: CertsService, rules: { issueSessionCert: users, endSession: users, renewHostCert: hosts } },
  resources: {
    definition: ResourcesService,
    rules: {
      getResource: people,
      listResources: people,
      createResource: people,
      putResource: people,
      updateResource: people,
      deleteResource: people,
      watchResources: { kinds: [USER, ADMIN, DB_AGENT, APP_AGENT, PROXY] },
    },
  },
  tokens: { definition: TokensService, rules: { addToken: people, listTokens: people, deleteToken: people } },
  users: { definition: UsersService, rules: { createUser: people, updateUser: people, resetPassword: people } },
  presence: { definition: PresenceService, rules: { announceServers: agents, announceProxy: proxies } },
  audit: {
    definition: AuditService,
    rules: { appendEvents: hosts, queryEvents: people, tailEvents: people, verifyLog: people, watchVerification: people },
  },
  access: { definition: AccessService, rules: { explainAccess: people } },
  status: { definition: StatusService, rules: { getStatus: people } },
  routeKeys: { definition: RouteKeysService, rules: { watchRouteKeys: proxies } },
  agentSession: {
    definition: AgentSession,
    rules: { connect: { kinds: [SESSION] }, describe: { kinds: [SESSION] }, signInToConsole: { kinds: [SESSION] } },
  },
  reverseTunnel: { definition: ReverseTunnel, rules: { attach: agents, carry: hosts } },
} as const satisfies Record<string, { definition: object; rules: Record<string, Rule> }>;
