import type { Handlers, TokensService } from '@postern/api';
import { type PersonDeps, personOf, requireMay } from '#administration/person.ts';
import { type Authorities, hostCaPins } from '#authorities/authorities.ts';
import type { BoundName } from '#hosts/host-record.ts';
import { readResource } from '#resources/stored-resource.ts';
import { identified } from '#rpc/identified.ts';
import { addToken, type TokenDeps } from '#tokens/add-token.ts';
import { deleteToken } from '#tokens/delete-token.ts';
import { listTokens } from '#tokens/list-tokens.ts';
import type { TokenRecord } from '#tokens/token.ts';

export interface TokensRpcDeps extends PersonDeps, TokenDeps {
  readonly authorities: Authorities;
  readonly staticTokens: ReadonlyMap<string, TokenRecord>;
}

export function tokensHandlers(deps: TokensRpcDeps): Handlers<typeof TokensService> {
  return {
    addToken: async (request, context) => {
      const person = await personOf(deps, identified(context));
      requireMay(person, 'token', 'create');
      const { token, record } = await addToken(deps, {
        roles: request.roles,
        value: request.value,
        ttlMs: request.ttlSeconds * 1000,
        labels: request.labels,
        boundNames: boundNames(request),
        maxUses: request.maxUses,
        createdBy: person.name,
      });
      return { token, expiresMs: record.expiresMs ?? 0, caPins: [...hostCaPins(deps.authorities)], proxyAddress: await proxyAddress(deps) };
    },
    listTokens: async (_request, context) => {
      requireMay(await personOf(deps, identified(context)), 'token', 'list');
      const tokens = await listTokens({ store: deps.store, staticTokens: [...deps.staticTokens.values()], nowMs: deps.nowMs });
      return { tokens: tokens.map(toInfo) };
    },
    deleteToken: async (request, context) => {
      const person = await personOf(deps, identified(context));
      requireMay(person, 'token', 'delete');
      await deleteToken(deps, { token: request.token, deletedBy: person.name });
      return {};
    },
  };
}

function boundNames(request: { dbName: string; dbProtocol: string; dbUri: string; appName: string; appUri: string }): readonly BoundName[] {
  const { dbName, dbProtocol, dbUri, appName, appUri } = request;
  return [
    ...(dbName === '' ? [] : [{ kind: 'db' as const, name: dbName, ...present({ protocol: dbProtocol, uri: dbUri }) }]),
    ...(appName === '' ? [] : [{ kind: 'app' as const, name: appName, ...present({ uri: appUri }) }]),
  ];
}

function present(values: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ''));
}

/** For the command that `tctl tokens add` prints; any proxy will do. */
async function proxyAddress(deps: TokensRpcDeps): Promise<string> {
  const [first] = await deps.store.list('proxies/', { limit: 1 });
  const address = first === undefined ? undefined : readResource(first).spec['public_addr'];
  return typeof address === 'string' ? address : '';
}

function toInfo(token: TokenRecord) {
  return {
    id: token.id,
    masked: token.masked,
    roles: [...token.roles],
    expiresMs: token.expiresMs ?? 0,
    labels: { ...token.labels },
    boundNames: token.boundNames.map(({ name }) => name),
    usesLeft: token.usesLeft ?? 0,
  };
}
