import type { AuditLine } from '#check-audit.ts';
import type { AtAws } from '#cluster.ts';

/** A request as "AWS", which has a clock of its own, wrote it down. */
export interface Seen extends AtAws {
  readonly requestId: string;
  readonly time: string;
  /** Of the query protocol. */
  readonly parameters?: Readonly<Record<string, string>>;
}

/** The session name of an agent whose own keys are of a role: what it does for nobody is in nobody's log. */
export const AGENT_ITSELF = 'the-agent';

const REQUESTS: ReadonlySet<string> = new Set([
  'db.session.dynamodb.request',
  'app.session.request',
  'app.session.dynamodb.request',
  'app.session.console',
  'app.session.tunnel',
]);

/** Events of what agents send to AWS for people, in one phase. */
export const requestsIn = (lines: readonly AuditLine[], phase: string) =>
  lines.filter((line) => REQUESTS.has(line.event) && line.phase === phase);

/** As AWS names what was asked; a sign-in to the console is one request with no signature. */
export const operationOf = ({ event, operation = '' }: AuditLine) => (event === 'app.session.console' ? 'getSigninToken' : operation);

/** What the answer carried, and the log has of it: S3 says less of its id than it keeps, and a sign-in is known by the keys it was for. */
function idOf({ service, operation, requestId, identity }: Seen): string {
  if (operation === 'getSigninToken') return identity?.accessKeyId ?? '';
  return service === 's3' ? requestId.slice(0, 16) : requestId;
}
const idIn = ({ event, aws_request_id: id = '', aws_access_key_id: keys = '' }: AuditLine) => (event === 'app.session.console' ? keys : id);

/** AWS's raw log beside the audit log. */
export class Tie {
  /** What people asked. */
  readonly theirs: readonly Seen[];
  /** AssumeRole, which an agent asks with keys of its own before it can send what a person asks. */
  readonly #own: readonly Seen[];
  readonly #lines: readonly AuditLine[];
  readonly #byId: ReadonlyMap<string, Seen>;

  constructor(rawLog: readonly AtAws[], lines: readonly AuditLine[]) {
    // Whether the emulator listens is asked at its own address, which no agent says: it says AWS's hosts.
    const seen = (rawLog as readonly Seen[]).filter(({ host, service }) => service !== undefined || !/^127\.0\.0\.1:\d+$/.test(host));
    const users = new Set(requestsIn(lines, 'intent').map(({ user }) => user));
    const isOwn = ({ operation, identity }: Seen) => operation === 'AssumeRole' && !users.has(identity?.sessionName);
    this.theirs = seen.filter((each) => !isOwn(each));
    this.#own = seen.filter(isOwn);
    this.#lines = lines;
    this.#byId = new Map(this.theirs.map((each) => [idOf(each), each]));
  }

  /** How many intents there have to be for it at least: a sign-in is asked again where AWS does not give what was asked, and no more. */
  get intents(): number {
    const signIns = this.theirs.filter(({ operation }) => operation === 'getSigninToken').length;
    return this.theirs.length - signIns + Math.ceil(signIns / 2);
  }

  /** The request at AWS whose answer this outcome tells of, if it was seen. */
  of(outcome: AuditLine): Seen | undefined {
    const id = idIn(outcome);
    return id === '' ? undefined : this.#byId.get(id);
  }

  /**
   * What AWS wrote down and the log does not know, each in words. One whose answer came is tied by AWS's own id; the others must be among
   * the outcomes that are unknown and have none, of the same operation; a body that was cut before its end was not sent.
   */
  missing(): readonly string[] {
    const outcomes = requestsIn(this.#lines, 'outcome');
    const operations = new Map(requestsIn(this.#lines, 'intent').map((line) => [line.request_id, operationOf(line)]));
    const answered = new Set(outcomes.map(idIn));
    const unknown = new Spare();
    const cut = new Spare();
    for (const line of outcomes) {
      if (idIn(line) !== '') continue;
      const operation = operations.get(line.request_id) ?? '';
      if (line.outcome === 'unknown') unknown.add(operation);
      // A sign-in of which nothing was had: whether AWS was asked is not told, since nobody can come of it.
      if (line.outcome === 'not_sent') (line.event === 'app.session.console' ? unknown : cut).add(operation);
    }
    const lost = this.theirs.filter((seen) => {
      const { operation = '', refusal } = seen;
      if (idOf(seen) !== '' && answered.has(idOf(seen))) return false;
      if (refusal === 'IncompleteBody' && cut.take(operation)) return false;
      return !unknown.take(operation);
    });
    return [...lost, ...this.#unasked()].map(
      ({ requestId, operation, time }) => `${operation} ${requestId} reached AWS at ${time} and is not in the log`,
    );
  }

  /** Roles that an agent assumed before anybody had asked it for anything in that name. */
  #unasked(): readonly Seen[] {
    const since = new Map<string, string>();
    for (const { user = '', time } of requestsIn(this.#lines, 'intent')) {
      const first = since.get(user);
      if (first === undefined || time < first) since.set(user, time);
    }
    const earliest = [...since.values()].toSorted()[0];
    return this.#own.filter(({ parameters, time }) => {
      const name = parameters?.['RoleSessionName'];
      // One that AWS refused unread names nobody.
      const asked = name === undefined ? earliest : since.get(name);
      return name !== AGENT_ITSELF && (asked === undefined || asked > time);
    });
  }
}

/** Outcomes of each operation that may stand for a request whose answer nobody saw, each for one. */
class Spare {
  readonly #left = new Map<string, number>();

  add(operation: string): void {
    this.#left.set(operation, (this.#left.get(operation) ?? 0) + 1);
  }

  take(operation: string): boolean {
    const left = this.#left.get(operation) ?? 0;
    this.#left.set(operation, left - 1);
    return left > 0;
  }
}
