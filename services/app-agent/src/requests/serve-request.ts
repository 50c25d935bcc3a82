import { type ClockSkew, MAX_IN_FLIGHT, type OpenRecord, type RoleCredentials, type SessionPlaces, type Upstreams } from '@postern/agent';
import type { Credentials, SigningKeys } from '@postern/aws';
import { bodyWanted, describeRequest } from '#requests/interim.ts';
import type { Application } from '#apps/application.ts';
import type { RequestRecords } from '#audit/request-records.ts';
import { answerRefusal } from '#requests/answer-refusal.ts';
import { chooseTarget, misplaced } from '#requests/choose-target.ts';
import { ClientRequest } from '#requests/client-request.ts';
import type { SeedReader } from '#requests/read-seed.ts';
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
  unsignable,
} from '#requests/refusals.ts';
import { send, signed, upstreamOf } from '#requests/send.ts';
import type { SessionPlace } from '#requests/session-place.ts';
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
  const { session, signed: asCame } = request;
  const { localKey, connectHost } = exchange.context;
  const no = (refusal: Refusal) => refuse(deps, request, refusal);

  // 3 session: what is read is what AWS will read, no browser sent it, and who sent it holds the key of this connection.
  const shape = headRefusal(request.head, exchange.context);
  if (shape !== undefined || localKey === undefined) return no(shape ?? badRequest('no key'));
  const seed = deps.seeds.read(request.head, asCame, localKey, exchange.head.length !== 0);
  if (isRefusal(seed)) return no(seed);
  request.scope = seed.scope;
  request.payload = seed.payload;

  // 4 request: which host, by table, and what is asked of it.
  const target = chooseTarget({ signed: asCame, scope: seed.scope, connectHost });
  if (isRefusal(target)) return no(target);
  request.target = target;
  const head = { ...asCame, service: target.service, host: target.host };
  const described = describeRequest(head);
  if ('refusal' in described) return no(badRequest(described.refusal));
  request.described = described;

  // 5 authorize, before a byte of the body is taken; and again when it is there, since it may have been minutes on its way.
  const place = deps.places.of(session);
  if ('reason' in place) return no(denied(request.wish, place.reason));
  request.place = place;
  const early = session.facts.standing.authorize(place.asked);
  if (!early.allowed) return no(refusedByVerdict(request.wish, early));
  const elsewhere = misplaced(target, place);
  if (elsewhere !== undefined) return no(denied(request.wish, elsewhere));
  const upstream = upstreamOf(deps.upstreams, target);
  if (upstream.inFlight >= MAX_IN_FLIGHT) return no(busy('too many requests of this agent wait for AWS'));

  const isRead = bodyWanted(head) > 0;
  const body = await takeBody({ exchange, payload: seed.payload, isRead, owner: session.user, room: deps.room });
  if (isRefusal(body)) return no(body);
  try {
    const mismatch = judgeHeld(deps, request, body);
    if (mismatch !== undefined) return no(mismatch);
    const verdict = session.facts.standing.authorize(place.asked);
    if (!verdict.allowed) return no(refusedByVerdict(request.wish, verdict));

    // 6 audit: nothing leaves for AWS, STS included, before the intent is on disk.
    let record: OpenRecord;
    try {
      record = await deps.records.begin(session, place, request.asked);
    } catch (error) {
      return no(refusedByAudit(error));
    }

    // 7 credentials: the person's own, for the role of the certificate. 8 sign.
    const lost = (refusal: Refusal) => {
      record.end({ kind: 'not_sent', reason: refusal.reason });
      answerRefusal(exchange, request.protocol, refusal);
    };
    let credentials: Credentials;
    try {
      credentials = await deps.credentials.for(session, place);
    } catch (error) {
      const refusal = refusedByCredentials(request.wish, error);
      const { user, resource } = request.wish;
      deps.onWarning('credentials could not be had', { user, resource, reason: refusal.reason });
      return lost(refusal);
    }
    let headers: string[];
    try {
      headers = signed({ request, target, body, credentials, keys: deps.signingKeys, nowMs: deps.nowMs() });
    } catch (error) {
      return lost(unsignable(error));
    }

    // 9 forward; 10 audit: what became of it.
    const { outcome, fault, requestBytes } = await send({
      request,
      upstream,
      headers,
      body,
      onErrorDate: (date) => deps.clockSkew.seen(date),
    });
    record.end(outcome, { request_bytes: requestBytes });
    if (outcome.kind !== 'answered' && !exchange.started)
      answerRefusal(exchange, request.protocol, fault === undefined ? answerLost(outcome) : faultRefusal(fault));
  } finally {
    if (body.kind === 'held') body.body.release();
  }
}

/** A signature over a hash that the client did not name, or a hash that he did: both are judged before anything leaves. */
function judgeHeld(deps: ServeRequestDeps, request: ClientRequest, body: TakenBody): Refusal | undefined {
  const { localKey } = request.exchange.context;
  if (body.kind !== 'held' || localKey === undefined) return undefined;
  const { sha256 } = body.body;
  if (request.payload === undefined) {
    const judged = deps.seeds.judge(request.signed, localKey, sha256);
    return isRefusal(judged) ? judged : undefined;
  }
  if (!/^[0-9a-f]{64}$/.test(request.payload) || request.payload === sha256) return undefined;
  return faultRefusal({ code: 'mismatch', reason: 'the body does not match its x-amz-content-sha256' });
}

function refuse(deps: ServeRequestDeps, request: ClientRequest, refusal: Refusal): void {
  const { session, place, asked } = request;
  const status = answerRefusal(request.exchange, request.protocol, refusal);
  deps.records.refused({ session, place, asked, reason: refusal.reason, role: refusal.role, status });
}
