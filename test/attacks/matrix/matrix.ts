/**
 * Who calls. `expired` and `elsewhere` are several: for each method a twin of everybody who is served. The one's certificate has ended since he
 * connected; the other's is of another cluster of the same name.
 */
export const identities = [
  'none',
  'expired',
  'elsewhere',
  'dbAgent',
  'appAgent',
  'proxy',
  'user',
  'dbSession',
  'appSession',
  'admin',
] as const;
export type IdentityName = (typeof identities)[number];

/**
 * `allowed`: an answer, or a status that only whoever was let in is told. `unauthenticated`, `denied`: exactly that gRPC status, and a line in the audit log.
 * `unimplemented`: that status: whoever serves here has nothing of the kind, for nobody.
 * `cut`: TLS, or the look at the certificate right behind it, closes the connection before there is a call to answer.
 */
export type Outcome = 'allowed' | 'unauthenticated' | 'denied' | 'unimplemented' | 'cut';
/** `db` and `app` are the doors of two agents, each behind a ticket to it. */
export type Door = 'auth' | 'tunnel' | 'db' | 'app';

export type Outcomes = Readonly<Record<IdentityName, Outcome>>;
/** By door: more than one where several serve the method. */
export type Row = Readonly<Partial<Record<Door, Outcomes>>>;

/**
 * Who is served for his good certificate: it is theirs that are tried when they have ended, or are another cluster's. Where none is needed
 * one does for all.
 */
export function servedTo(outcomes: Outcomes): readonly IdentityName[] {
  if (outcomes.none === 'allowed') return ['user'];
  return identities.filter((name) => name !== 'none' && ['allowed', 'unimplemented'].includes(outcomes[name]));
}

type Letter = 'y' | 'u' | 'd' | 'n' | '-';
const meaning: Record<Letter, Outcome> = { y: 'allowed', u: 'unauthenticated', d: 'denied', n: 'unimplemented', '-': 'cut' };

/** One letter an identity, in the order of `identities`. */
function row(...doors: readonly (readonly [Door, letters: string])[]): Row {
  return Object.fromEntries(
    doors.map(([door, letters]) => {
      const list = letters.split(' ') as Letter[];
      if (list.length !== identities.length) throw new Error(`${letters}: ${identities.length} letters`);
      return [door, Object.fromEntries(identities.map((name, at) => [name, meaning[list[at] ?? '-']]))];
    }),
  );
}

/**
 * Who may call what, written by hand from what each service is for, and held against running processes: not derived from the rules
 * that the processes obey. A plain user has the role `access` and no right to administer; what he is asked to do here is not his own.
 *
 *            none expired elsewhere dbAgent appAgent proxy user dbSession appSession admin
 */
export const matrix: Readonly<Record<string, Row>> = {
  'postern.v1.Join/Join': row(['auth', 'y u - y y y y y y y']),
  'postern.v1.Login/SignIn': row(['auth', 'y u - y y y y y y y']),
  'postern.v1.Certs/IssueSessionCert': row(['auth', 'u u - d d d y d d d']),
  'postern.v1.Certs/EndSession': row(['auth', 'u u - d d d y d d d']),
  'postern.v1.Certs/RenewHostCert': row(['auth', 'u u - y y y d d d d']),
  'postern.v1.Resources/GetResource': row(['auth', 'u u - d d d d d d y']),
  'postern.v1.Resources/ListResources': row(['auth', 'u u - d d d d d d y']),
  'postern.v1.Resources/CreateResource': row(['auth', 'u u - d d d d d d y']),
  'postern.v1.Resources/PutResource': row(['auth', 'u u - d d d d d d y']),
  'postern.v1.Resources/UpdateResource': row(['auth', 'u u - d d d d d d y']),
  'postern.v1.Resources/DeleteResource': row(['auth', 'u u - d d d d d d y']),
  'postern.v1.Resources/WatchResources': row(['auth', 'u u - y y y d d d y']),
  'postern.v1.Tokens/AddToken': row(['auth', 'u u - d d d d d d y']),
  'postern.v1.Tokens/ListTokens': row(['auth', 'u u - d d d d d d y']),
  'postern.v1.Tokens/DeleteToken': row(['auth', 'u u - d d d d d d y']),
  'postern.v1.Users/CreateUser': row(['auth', 'u u - d d d d d d y']),
  'postern.v1.Users/UpdateUser': row(['auth', 'u u - d d d d d d y']),
  'postern.v1.Users/ResetPassword': row(['auth', 'u u - d d d d d d y']),
  'postern.v1.Presence/AnnounceServers': row(['auth', 'u u - y y d d d d d']),
  'postern.v1.Presence/AnnounceProxy': row(['auth', 'u u - d d y d d d d']),
  'postern.v1.Audit/AppendEvents': row(['auth', 'u u - y y y d d d d']),
  'postern.v1.Audit/QueryEvents': row(['auth', 'u u - d d d d d d y']),
  'postern.v1.Audit/TailEvents': row(['auth', 'u u - d d d d d d y']),
  'postern.v1.Audit/VerifyLog': row(['auth', 'u u - d d d d d d y']),
  'postern.v1.Audit/WatchVerification': row(['auth', 'u u - d d d d d d y']),
  'postern.v1.Access/ExplainAccess': row(['auth', 'u u - d d d d d d y']),
  'postern.v1.Status/GetStatus': row(['auth', 'u u - d d d y d d y']),
  'postern.v1.RouteKeys/WatchRouteKeys': row(['auth', 'u u - d d y d d d d']),
  'postern.v1.ReverseTunnel/Carry': row(['tunnel', '- - - y y y - - - -']),
  'postern.v1.ReverseTunnel/Attach': row(['tunnel', '- - - y y d - - - -']),
  'postern.v1.AgentSession/Connect': row(['db', '- - - - - - - y - -'], ['app', '- - - - - - - - y -']),
  'postern.v1.AgentSession/Describe': row(['db', '- - - - - - - y - -'], ['app', '- - - - - - - - y -']),
  'postern.v1.AgentSession/SignInToConsole': row(['db', '- - - - - - - n - -'], ['app', '- - - - - - - - y -']),
};
