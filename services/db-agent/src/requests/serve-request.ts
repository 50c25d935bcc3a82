import {
  browserRefusal,
  type ClockSkew,
  type LiveSession,
  type OpenRecord,
  Permit,
  readHead,
  type Refused,
  relay,
  type RequestHead,
  type RoleCredentials,
  type SessionConnection,
  type SessionPlaces,
  type Upstreams,
} from '@postern/agent';
import {
  type Credentials,
  type DynamoDbOperation,
  dynamodbOperation,
  isOwnLack,
  type SigningKeys,
  signRequest,
  tablesInSlices,
} from '@postern/aws';
import { type BodyBudget, readWhole, type WholeRead } from '@postern/http';
import type { Asked, RequestRecords } from '#audit/request-records.ts';
import { endpointNames, MAX_BODY_BYTES } from '#config.ts';
import type { Database } from '#databases/database.ts';
import { answerRefusal } from '#requests/answer-refusal.ts';
import {
  answerLost,
  bodyRefusal,
  busy,
  noDiscovery,
  type Refusal,
  refusedByAudit,
  refusedByCredentials,
  refusedByVerdict,
  refusedOnItsWay,
  unknownTarget,
  unsignable,
  type Who,
} from '#requests/refusals.ts';
import type { SessionPlace } from '#requests/session-place.ts';
import type { ClientExchange } from '#sessions/http-door.ts';
import { shapeRefusal } from '#sessions/request-shape.ts';

export interface ServeRequestDeps {
  readonly places: SessionPlaces<Database, SessionPlace>;
  readonly budget: BodyBudget;
  readonly records: RequestRecords;
  readonly credentials: RoleCredentials;
  readonly signingKeys: SigningKeys;
  readonly upstreams: Upstreams;
  readonly clockSkew: Pick<ClockSkew, 'seen'>;
  readonly nowMs: () => number;
  readonly onWarning: (message: string, fields: { readonly user: string; readonly resource: string; readonly reason: string }) => void;
}

/** Serves one request of a session: the steps of its life in their order. Every way out answers the client and leaves a record. */
export async function serveRequest(deps: ServeRequestDeps, exchange: ClientExchange): Promise<void> {
  const connection = exchange.context;
  const { session } = connection;

  // 3 session: what is read is what AWS will read, and no browser sent it.
  const head = readHead(exchange.head.fields);
  const malformed = checkHead(exchange, head);
  if (malformed) return refuse(deps, exchange, { refusal: malformed, asked: askedOf(exchange, head) });

  // 4 request: one of the operations in the table, on the database of the certificate.
  const operation = dynamodbOperation(head.target ?? '');
  if (!operation) return refuse(deps, exchange, { refusal: unknownTarget(head.target ?? ''), asked: askedOf(exchange, head) });
  const who = whoOf(connection);
  const place = deps.places.of(session);
  if ('reason' in place)
    return refuse(deps, exchange, {
      refusal: refusedByVerdict(who, operation.operation, { allowed: false, cause: 'identity', reason: place.reason }),
      asked: askedOf(exchange, head, operation),
    });

  if (operation.operation === 'DescribeEndpoints')
    return refuse(deps, exchange, { refusal: noDiscovery(), asked: askedOf(exchange, head, operation), place });

  // 5 authorize, before a byte of the body is taken; again after each wait, and by the session when rules or labels change.
  const permit = new Permit(() => refusedNow(deps, session));
  const worded = (why: Refused) => refusedByVerdict(who, operation.operation, why);
  const early = permit.refusal();
  if (early) return refuse(deps, exchange, { refusal: worded(early), asked: askedOf(exchange, head, operation), place });
  // Shares of what there is are not the certificate's: a person can have as many of those as he asks for.
  const { user } = session;
  const passage = deps.upstreams.admit({
    service: endpointNames[operation.service],
    host: place.database.hosts[operation.service],
    user,
  });
  if ('reason' in passage)
    return refuse(deps, exchange, { refusal: busy(passage.reason), asked: askedOf(exchange, head, operation), place });

  let body: WholeRead | undefined;
  session.enter(permit);
  // Until it is sent, who asked is told at once; what he still sends goes nowhere.
  permit.onCut((why) => void answerRefusal(exchange, { ...worded(why), close: true }));
  try {
    exchange.sayContinue();
    const reading = readWhole(exchange, { maxBytes: MAX_BODY_BYTES, budget: deps.budget, owner: user });
    body = reading instanceof Promise ? await reading : reading;
    if (permit.ended) return refuse(deps, exchange, { refusal: worded(permit.ended), asked: askedOf(exchange, head, operation), place });
    if ('failed' in body)
      return refuse(deps, exchange, { refusal: bodyRefusal(body.failed), asked: askedOf(exchange, head, operation), place });
    const naming = tablesInSlices(operation, body.bytes, place.database);
    const named = naming instanceof Promise ? await naming : naming;
    const asked = askedOf(exchange, head, operation, named.tables);
    if (named.refusal) return refuse(deps, exchange, { refusal: { ...named.refusal, reason: named.refusal.message }, asked, place });
    const late = permit.refusal();
    if (late) return refuse(deps, exchange, { refusal: worded(late), asked, place });

    // 6 audit: nothing leaves for AWS, STS included, before the intent is on disk.
    let record: OpenRecord;
    const recording = deps.records.begin(session, place, asked);
    // While the disk works: what is at hand is signed with, and kept here until the intent is durable.
    const signedAhead = signAhead(deps, { place, operation, rawHeaders: exchange.head.fields, body: body.bytes });
    try {
      record = await recording;
    } catch (error) {
      return refuse(deps, exchange, { refusal: refusedByAudit(error), asked, place });
    }

    let headers = signedAhead;
    if (headers === undefined) {
      // 7 credentials: the person's own, for the role of the certificate.
      let credentials: Credentials;
      try {
        credentials = await deps.credentials.for(session, place);
      } catch (error) {
        const refusal = refusedByCredentials(who, operation.operation, error);
        record.end({ kind: 'not_sent', reason: refusal.reason });
        // Of its own the agent tells the log by itself, and once.
        if (!isOwnLack(error))
          deps.onWarning('credentials could not be had', { user: who.user, resource: who.resource, reason: refusal.reason });
        answerRefusal(exchange, refusal);
        return;
      }

      // 8 sign: for the database's region and host, whatever the client signed for.
      try {
        headers = sign(deps, { place, operation, credentials, rawHeaders: exchange.head.fields, body: body.bytes });
      } catch (error) {
        const refusal = unsignable(error);
        record.end({ kind: 'not_sent', reason: refusal.reason });
        answerRefusal(exchange, refusal);
        return;
      }
    }

    // Disk and STS may have taken their time.
    const last = permit.refusal();
    if (last) {
      record.end({ kind: 'not_sent', reason: last.reason });
      answerRefusal(exchange, worded(last));
      return;
    }

    // 9 forward; 10 audit: what became of it.
    const outcome = await relay({
      upstream: passage.upstream,
      method: 'POST',
      target: '/',
      headers,
      body: body.bytes,
      exchange,
      permit,
      onErrorDate: (date) => deps.clockSkew.seen(date),
      wantsCapacity: body.bytes.length < 16_384 && body.bytes.includes('ReturnConsumedCapacity'),
    });
    record.end(outcome);
    if (outcome.kind === 'answered' || exchange.started) return;
    answerRefusal(exchange, permit.ended ? refusedOnItsWay(worded(permit.ended), outcome) : answerLost(outcome));
  } finally {
    session.leave(permit);
    if (body !== undefined && 'release' in body) body.release();
    passage.over();
  }
}

/** Step 5, from the view as it is now: the database and its labels may have changed since the request came. */
function refusedNow({ places }: ServeRequestDeps, session: LiveSession): Refused | undefined {
  const place = places.of(session);
  if ('reason' in place) return { allowed: false, cause: 'identity', reason: place.reason };
  const verdict = session.facts.standing.authorize(place.asked);
  return verdict.allowed ? undefined : verdict;
}

function checkHead(exchange: ClientExchange, head: RequestHead): Refusal | undefined {
  const fromBrowser = browserRefusal(head, exchange.context.localPort);
  if (fromBrowser !== undefined)
    return { code: 'AccessDeniedException', status: 403, message: fromBrowser, reason: fromBrowser, close: true };
  const shape = shapeRefusal({ method: exchange.head.method, target: exchange.head.target, head });
  return shape && { code: shape.code, message: shape.reason, reason: shape.reason, close: shape.close };
}

/** Undefined where credentials have to be asked for first, or where signing fails, which is then told in its turn. */
function signAhead(deps: ServeRequestDeps, input: Omit<SignInput, 'credentials'>): string[] | undefined {
  const credentials = deps.credentials.atHand(input.place);
  if (credentials === undefined) return undefined;
  try {
    return sign(deps, { ...input, credentials });
  } catch {
    return undefined;
  }
}

interface SignInput {
  readonly place: SessionPlace;
  readonly operation: DynamoDbOperation;
  readonly credentials: Credentials;
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

function sign(deps: ServeRequestDeps, input: SignInput): string[] {
  const { place, operation, credentials, rawHeaders, body } = input;
  const nowMs = deps.nowMs();
  const { region, hosts } = place.database;
  const key = deps.signingKeys.for(credentials, { nowMs, region, service: 'dynamodb' });
  return signRequest(
    { method: 'POST', path: '/', query: '', host: hosts[operation.service], headers: rawHeaders, payload: body, nowMs },
    key,
  ).headers;
}

interface RefuseInput {
  readonly refusal: Refusal;
  readonly asked: Asked;
  readonly place?: SessionPlace;
}

function refuse(deps: ServeRequestDeps, exchange: ClientExchange, { refusal, asked, place }: RefuseInput): void {
  const status = answerRefusal(exchange, refusal);
  deps.records.refused({ session: exchange.context.session, place, asked, reason: refusal.reason, role: refusal.role, status });
}

function askedOf(exchange: ClientExchange, head: RequestHead, operation?: DynamoDbOperation, tables?: readonly string[]): Asked {
  return {
    method: exchange.head.method,
    path: exchange.head.target,
    target: head.target ?? '',
    ...(operation === undefined ? {} : { operation: operation.operation }),
    ...(tables === undefined ? {} : { tables }),
  };
}

function whoOf({ session }: SessionConnection): Who {
  const { route } = session.facts;
  return { user: session.user, resource: `db/${route.resourceName}`, principal: route.principal };
}
