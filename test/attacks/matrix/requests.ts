import { services } from '@postern/api';
import { generateKey } from '@postern/pki';

/** What one call sends: its messages, and whether the caller's half is closed behind them. */
export interface Sent {
  readonly messages: readonly Uint8Array[];
  readonly end: boolean;
}

const role = (name: string) => ({
  kind: 'role',
  json: Buffer.from(JSON.stringify({ kind: 'role', version: 'v7', metadata: { name }, spec: { allow: {} } })),
});
const lock = { kind: 'lock', name: 'nothing-here', withSecrets: false };

/** One sensible request for each method: what an administrator, or the honest host, would be answered. Nothing in it is the caller's own. */
export function requestOf(path: string, given: { readonly joinToken: string; readonly user: string; readonly password: string }): Sent {
  const key = () => generateKey().publicKeyDer;
  const requests: Readonly<Record<string, object>> = {
    'Join/Join': { token: given.joinToken, role: 'db', nodeName: 'matrix', version: '0.1.0', publicKey: key() },
    'Login/SignIn': { user: given.user, password: given.password, publicKey: key(), ttlSeconds: 0, clientVersion: '0.1.0' },
    'Certs/IssueSessionCert': { resourceKind: 'db', resourceName: 'nothing-here', principal: 'Reader', publicKey: key(), ttlSeconds: 0 },
    'Certs/EndSession': { sessionId: 'nothing-here' },
    'Certs/RenewHostCert': { publicKey: key() },
    'Resources/GetResource': lock,
    'Resources/ListResources': { kind: 'lock', withSecrets: false, pageSize: 0, pageToken: '' },
    'Resources/CreateResource': role('matrix'),
    'Resources/PutResource': role('matrix'),
    'Resources/UpdateResource': role('matrix'),
    'Resources/DeleteResource': lock,
    'Resources/WatchResources': { kinds: ['lock'] },
    'Tokens/AddToken': {
      roles: ['db'],
      value: '',
      ttlSeconds: 60,
      labels: {},
      dbName: 'matrix',
      dbProtocol: '',
      dbUri: '',
      appName: '',
      appUri: '',
      maxUses: 1,
    },
    'Tokens/ListTokens': {},
    'Tokens/DeleteToken': { token: 'nothing-here' },
    'Users/CreateUser': { name: 'matrix-made', roles: ['access'], traits: {}, password: '' },
    'Users/UpdateUser': { name: 'nothing-here', setRoles: ['access'], setTraits: {} },
    'Users/ResetPassword': { name: 'nothing-here', password: given.password },
    'Presence/AnnounceServers': { servers: [], nodeName: 'matrix', version: '0.1.0' },
    // Not an address: a good one would have agents dial it.
    'Presence/AnnounceProxy': { publicAddress: '', ownAddress: '', version: '0.1.0' },
    'Audit/AppendEvents': { events: [] },
    'Audit/QueryEvents': { limit: 1 },
    'Audit/TailEvents': {},
    'Audit/VerifyLog': {},
    'Audit/WatchVerification': {},
    'Access/ExplainAccess': { user: 'nothing-here', resourceKind: 'db', resourceName: 'orders', principal: 'Reader' },
    'Status/GetStatus': {},
    'RouteKeys/WatchRouteKeys': {},
    'AgentSession/Describe': {},
    'AgentSession/SignInToConsole': { destination: '', issuer: '' },
    'ReverseTunnel/Attach': { frame: { $case: 'hello', value: { version: '0.1.0', resourceIds: [] } } },
  };
  const raw: Readonly<Record<string, Buffer>> = {
    'ReverseTunnel/Carry': Buffer.from('no dial'),
    'AgentSession/Connect': Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
  };
  const short = path.replace('postern.v1.', '');
  const bytes = raw[short];
  if (bytes !== undefined) return { messages: [bytes], end: false };
  const request = requests[short];
  if (request === undefined) throw new Error(`${path} has no request: write one in test/attacks/matrix/requests.ts`);
  return { messages: [serializer(path)(request)], end: short !== 'ReverseTunnel/Attach' };
}

interface AnyMethod {
  readonly path: string;
  readonly requestDeserialize: (bytes: Buffer) => object;
  readonly requestSerialize: (request: object) => Uint8Array;
}

/** Fields that are not given are as absent ones are read. */
function serializer(path: string): (request: object) => Uint8Array {
  for (const { definition } of Object.values(services)) {
    const method = (Object.values(definition) as unknown as AnyMethod[]).find((each) => each.path === `/${path}`);
    if (method) return (request) => method.requestSerialize({ ...method.requestDeserialize(Buffer.alloc(0)), ...request });
  }
  throw new Error(`${path} is served by nobody`);
}
