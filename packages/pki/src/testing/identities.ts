import { type Identity, Identity_Kind } from '@postern/api/identity';

export const CLUSTER = 'example.internal';
export const NOW_MS = Date.UTC(2026, 5, 1, 12);
export const HOUR_MS = 3_600_000;

export function identity(over: Partial<Identity> = {}): Identity {
  return {
    kind: Identity_Kind.USER,
    name: 'alice',
    cluster: CLUSTER,
    roles: ['access'],
    traits: { team: { values: ['a', 'b'] } },
    route: undefined,
    sessionId: '',
    secondFactor: false,
    generation: 'g1',
    ...over,
  };
}

export const session = (over: Partial<Identity> = {}) =>
  identity({
    kind: Identity_Kind.SESSION,
    route: { resourceKind: 'db', resourceName: 'orders', principal: 'Role' },
    sessionId: 's1',
    ...over,
  });
export const agent = (over: Partial<Identity> = {}) =>
  identity({ kind: Identity_Kind.DB_AGENT, name: '0d4f6a8e-agent', roles: [], traits: {}, generation: '', ...over });
