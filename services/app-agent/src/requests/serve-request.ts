import {
  type ClockSkew,
  type OpenRecord,
  Permit,
  type Refused,
  type RoleCredentials,
  type SessionPlaces,
  type Upstreams,
} from '@postern/agent';
import {
  type AwsTarget,
  bodyWanted,
  capsBody,
  type CredentialOperation,
  credentialOperation,
  type Credentials,
  isOwnLack,
  type SigningKeys,
  type VerifiedRequest,
} from '@postern/aws';
import type { Application } from '#apps/application.ts';
import type { RequestRecords } from '#audit/request-records.ts';
import { SeenKeys } from '#audit/seen-keys.ts';
import { answerRefusal } from '#requests/answer-refusal.ts';
import { capKeys, type CappedKeys } from '#requests/cap-keys.ts';
import { chooseTarget, misplaced } from '#requests/choose-target.ts';
import { ClientRequest } from '#requests/client-request.ts';
import { readAsked, readAskedFromHead } from '#requests/read-asked.ts';
import { refusedSignature, type Seed, type SeedReader } from '#requests/read-seed.ts';
import {
  answerLost,
  badRequest,
  busy,
  denied,
  faultRefusal,
  isRefusal,
  type Refusal,
  refusedByAudit,
  refusedByCredentials,
  refusedByVerdict,
  refusedOnItsWay,
  unsignable,
} from '#requests/refusals.ts';
import { admit, send } from '#requests/send.ts';
import type { SessionPlace } from '#requests/session-place.ts';
import { signAnew, type SignedAnew } from '#requests/sign-anew.ts';
import { type BodyRoom, takeBody, type TakenBody } from '#requests/take-body.ts';
import { headRefusal } from '#sessions/head-refusal.ts';
import type { ClientExchange } from '#sessions/http-door.ts';

export interface ServeRequestDeps {
  readonly places: SessionPlaces<Application, SessionPlace>;
  readonly seeds: SeedReader;
  readonly room: BodyRoom;
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
  const request = new ClientRequest(exchange);
  const { session } = request;
  const { localKey, connectHost } = exchange.context;
  const no = (refusal: Refusal) => refuse(deps, request, refusal);
  const worded = (why: Refused) => refusedByVerdict(request.wish, why);

  // 3 session: what is read is what AWS will read, no browser sent it, and who sent it holds the key of this connection.
  const shape = headRefusal(request.head, exchange.context);
  if (shape !== undefined || localKey === undefined) return no(shape ?? badRequest('no key'));
  const seed = deps.seeds.read(request.signed, localKey);
  if (isRefusal(seed)) return no(seed);
  const scope = 'awaitsBody' in seed ? seed.claimed : seed;
  request.scope = scope;
  if (!('awaitsBody' in seed)) request.verified = seed;

  // 4 request: which host, by table, and what is asked of it.
  const place = deps.places.of(session);
  const ownHosts = 'reason' in place ? [] : place.application.ownHosts;
  const target = chooseTarget({ signed: request.own, scope, connectHost, ownHosts });
  if (isRefusal(target)) return no(target);
  request.target = target;
  const head = { ...request.own, service: target.service, target };
  const asked = readAskedFromHead(head);
  if (isRefusal(asked)) return no(asked);
  request.described = asked;

  // 5 authorize, before a byte of the body is taken; again after each wait, and by the session when rules or labels change.
  if ('reason' in place) return no(denied(request.wish, place.reason));
  request.place = place;
  const permit = new Permit(() => refusedNow(deps, request, target));
  const early = permit.refusal();
  if (early) return no(worded(early));
  const passage = admit(deps.upstreams, { target, exchange, user: session.user });
  if ('reason' in passage) return no(busy(passage.reason));

  const isForm = bodyWanted(head) > 0;
  const known = credentialOperation(target.service, asked.operation);
  const isRead = isForm || (known !== undefined && capsBody(known));
  const { room, signingKeys: keys, nowMs } = deps;
  let taken: TakenBody | Refusal | undefined;
  session.enter(permit);
  // Until it is sent, who asked is told at once; what he still sends goes nowhere.
  permit.onCut((why) => void answerRefusal(exchange, request.protocol, { ...worded(why), close: true }));
  try {
    taken = await takeBody({ exchange, seed, keys, isRead, owner: session.user, room, nowMs });
    if (permit.ended) return no(worded(permit.ended));
    if (isRefusal(taken)) return no(taken);
    let body = taken;
    const verified = judgeHeld(seed, body);
    if (isRefusal(verified)) return no(verified);
    request.verified = verified;
    if (isForm && body.kind === 'held') {
      const read = await readAsked(head, body.body);
      if (isRefusal(read)) return no(read);
      request.described = read;
    }
    const late = permit.refusal();
    if (late) return no(worded(late));
    const operation = credentialOperation(target.service, request.described.operation);
    const capped = operation === undefined ? undefined : await handOut(deps, request, { operation, body });
    if (capped !== undefined && isRefusal(capped)) return no(capped);
    if (capped?.body !== undefined) body = { kind: 'held', body: capped.body };

    // 6 audit: nothing leaves for AWS, STS included, before the intent is on disk.
    let record: OpenRecord;
    try {
      record = await deps.records.begin(session, place, request.asked);
    } catch (error) {
      return no(refusedByAudit(error));
    }
    const lost = (refusal: Refusal) => {
      record.end({ kind: 'not_sent', reason: refusal.reason });
      answerRefusal(exchange, request.protocol, refusal);
    };

    // 7 credentials: the person's own, for the role of the certificate.
    let credentials: Credentials;
    try {
      credentials = await deps.credentials.for(session, place);
    } catch (error) {
      const refusal = refusedByCredentials(request.wish, error);
      const { user, resource } = request.wish;
      // Of its own the agent tells the log by itself, and once.
      if (!isOwnLack(error)) deps.onWarning('credentials could not be had', { user, resource, reason: refusal.reason });
      return lost(refusal);
    }

    // 8 sign, 9 forward, 10 audit: what became of it.
    const goes = capped?.signed ?? request.own;
    const { notAfterMs } = session.facts;
    let signed: SignedAnew;
    try {
      signed = signAnew({ verified, goes, isRewritten: capped !== undefined, target, body, credentials, keys, notAfterMs, nowMs: nowMs() });
    } catch (error) {
      return lost(unsignable(error));
    }
    // Disk and STS may have taken their time.
    const last = permit.refusal();
    if (last) return lost(worded(last));
    const seen = operation === undefined ? undefined : new SeenKeys(operation, request.protocol);
    const onErrorDate = (date: string) => deps.clockSkew.seen(date);
    const { upstream } = passage;
    const sent = await send({ exchange, upstream, signed, body, permit, onErrorDate, ...(seen === undefined ? {} : { tap: seen.tap }) });
    const { outcome, fault, requestBytes } = sent;
    record.end(outcome, {
      request_bytes: requestBytes,
      ...(seen === undefined ? {} : { handed_out: seen.ids(), handed_out_seconds: capped?.lifeSeconds }),
    });
    if (outcome.kind === 'answered' || exchange.started) return;
    const unheard = fault === undefined ? answerLost(outcome) : faultRefusal(fault);
    answerRefusal(exchange, request.protocol, permit.ended ? refusedOnItsWay(worded(permit.ended), outcome) : unheard);
  } finally {
    session.leave(permit);
    if (taken?.kind === 'held') taken.body.release();
    passage.over();
  }
}

/** Step 5, from the view as it is now: the application itself, its hosts and its labels may have changed since the request came. */
function refusedNow({ places }: ServeRequestDeps, request: ClientRequest, target: AwsTarget): Refused | undefined {
  const { session, exchange, own, scope, described } = request;
  const { standing } = session.facts;
  const { connectHost } = exchange.context;
  const because = (reason: string): Refused => ({ allowed: false, cause: 'identity', reason });
  const place = places.of(session);
  if ('reason' in place) return because(place.reason);
  const verdict = standing.authorize(place.asked);
  if (!verdict.allowed) return verdict;
  const elsewhere = misplaced(target, place);
  if (elsewhere !== undefined) return because(elsewhere);
  if (place !== request.place && scope !== undefined) {
    const again = chooseTarget({ signed: own, scope, connectHost, ownHosts: place.application.ownHosts });
    if (isRefusal(again)) return because(again.reason);
  }
  const handsOut = standing.awsCredentialOperations() === 'deny' && credentialOperation(target.service, described?.operation);
  if (!handsOut) return undefined;
  return because('it hands out keys of its own, and a role of yours has aws_credential_operations: deny');
}

/** Keys that AWS would hand out work without us: they are not asked for for longer than the certificate. */
async function handOut(
  deps: ServeRequestDeps,
  request: ClientRequest,
  { operation, body }: { readonly operation: CredentialOperation; readonly body: TakenBody },
): Promise<CappedKeys | Refusal> {
  const { session, own: signed, wish } = request;
  const { notAfterMs } = session.facts;
  const capped = await capKeys({
    operation,
    signed,
    body: body.kind === 'held' ? body.body : undefined,
    remainingSeconds: (notAfterMs - deps.nowMs()) / 1000,
  });
  return 'refusal' in capped ? denied(wish, capped.refusal) : capped;
}

/** A signature over a hash that the client did not name, or a hash that he did: both are judged before anything leaves. */
function judgeHeld(seed: Seed, body: TakenBody): VerifiedRequest | Refusal {
  if ('awaitsBody' in seed) {
    if (body.kind !== 'held') return badRequest('the body is needed to judge the signature');
    const judged = seed.verify(body.body.sha256);
    return 'refusal' in judged ? refusedSignature(judged) : judged;
  }
  if (body.kind === 'held' && seed.payload.kind === 'hash' && seed.payload.sha256 !== body.body.sha256)
    return faultRefusal({ kind: 'bad_signature', reason: 'the body does not match its x-amz-content-sha256' });
  return seed;
}

function refuse(deps: ServeRequestDeps, request: ClientRequest, refusal: Refusal): void {
  const { session, place, asked } = request;
  const status = answerRefusal(request.exchange, request.protocol, refusal);
  deps.records.refused({ session, place, asked, reason: refusal.reason, role: refusal.role, status });
}
