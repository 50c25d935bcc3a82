import type { Outcome, Refused } from '@postern/agent';
import { PosternError } from '@postern/api';
import { CredentialError, type RefusalKind } from '@postern/aws';
import { limits } from '@postern/limits';
import type { HoldFailure } from '#bodies/hold-body.ts';
import { BODY_IDLE_MS } from '#config.ts';
import type { BodyFault } from '#forwarding/body-source.ts';

/** A request that does not go on: what the client's SDK is told, and what the log says. */
export interface Refusal {
  readonly kind: RefusalKind;
  /** Shown by the SDK as it stands. */
  readonly message: string;
  /** The reason alone, for the log. */
  readonly reason: string;
  readonly role?: string;
  readonly close?: boolean;
  readonly retryAfterMs?: number;
}

/** A value may be one: the others that stand beside it have no `message`. */
export function isRefusal<T extends object>(value: T | Refusal): value is Refusal {
  return 'message' in value;
}

/** Who asks for what: the words of a refusal. */
export interface Wish {
  readonly user: string;
  readonly resource: string;
  readonly principal: string;
  /** `s3:PutObject`, or the service alone. */
  readonly action: string;
}

export function kindOf({ cause }: Refused): RefusalKind {
  return cause === 'expired' ? 'expired' : cause === 'stale' ? 'unavailable' : 'denied';
}

export function refusedByVerdict(wish: Wish, verdict: Refused): Refusal {
  const kind = kindOf(verdict);
  const message = verdict.cause === 'expired' ? verdict.reason : notAuthorized(wish, verdict.reason);
  return { kind, message, reason: verdict.reason, ...(verdict.role === undefined ? {} : { role: verdict.role }) };
}

/** What was allowed when it was sent, and was cut before its answer began. */
export function refusedOnItsWay(refusal: Refusal, outcome: Outcome): Refusal {
  if (outcome.kind === 'not_sent') return refusal;
  return { ...refusal, message: `${refusal.message}; the request was cut on its way, and AWS may have acted` };
}

export function denied(wish: Wish, reason: string): Refusal {
  return { kind: 'denied', message: notAuthorized(wish, reason), reason };
}

function notAuthorized({ user, action, resource, principal }: Wish, reason: string): string {
  return `User ${user} is not authorized to perform ${action} on ${resource} as role ${principal}: ${reason}`;
}

/** The intent could not be made durable, so nothing may leave for AWS. */
export function refusedByAudit(error: unknown): Refusal {
  // The spool's own words name nothing of the agent's host; what else can go wrong is not worded for a client.
  const reason = error instanceof PosternError ? error.message : 'audit unavailable: this agent cannot record the request';
  return { kind: 'unavailable', message: `the request was not sent: ${reason}`, reason };
}

export function refusedByCredentials(wish: Wish, error: unknown): Refusal {
  if (!(error instanceof CredentialError))
    return {
      kind: 'unavailable',
      message: `role ${wish.principal} could not be assumed`,
      reason: error instanceof Error ? error.message : String(error),
    };
  const reason = error.detail === undefined ? error.message : `${error.message} (${error.detail})`;
  if (error.code === 'denied') return { kind: 'denied', message: notAuthorized(wish, error.message), reason };
  if (error.code === 'expired') return { kind: 'expired', message: error.message, reason };
  return {
    kind: 'unavailable',
    message: error.message,
    reason,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
  };
}

/** Nothing of AWS's answer has reached the client; its SDK decides whether to try again. */
export function answerLost(outcome: Exclude<Outcome, { kind: 'answered' }>): Refusal {
  const message =
    outcome.kind === 'not_sent'
      ? `AWS could not be reached: ${outcome.reason}`
      : `the answer of AWS was lost, and it may have acted: ${outcome.reason}`;
  return { kind: 'unavailable', message, reason: outcome.reason };
}

/** The scope of the signature and the host do not belong together, or the host is none of AWS's own. */
export function wrongTarget(reason: string): Refusal {
  return { kind: reason.startsWith('credential should') ? 'wrong_scope' : 'denied', message: reason, reason };
}

export function badRequest(reason: string): Refusal {
  return { kind: 'bad_request', message: reason, reason, close: true };
}

export function faultRefusal({ kind, reason }: BodyFault): Refusal {
  return { kind, message: reason, reason, close: true };
}

const MIB = 1024 * 1024;

export function holdRefusal(failed: HoldFailure): Refusal {
  switch (failed) {
    case 'too_large': {
      const reason = `the request body is over ${limits.appHeldBytes / MIB} MiB, and it has to be held until it is hashed: send x-amz-content-sha256, or parts`;
      return { kind: 'too_large', message: reason, reason };
    }
    case 'no_share':
      return busy(`the request bodies that this agent holds for you are over ${limits.appFilesBytes / MIB / 2} MiB: send fewer at a time`);
    case 'no_room':
      return busy(`the request bodies that this agent holds for everybody are over ${limits.appFilesBytes / MIB} MiB: try again`);
    case 'no_file': {
      const reason = 'this agent has no room on its disk to set the request body aside: tell whoever runs it';
      return { kind: 'unavailable', message: reason, reason };
    }
    case 'late':
      return badRequest(
        `the request body, which has to be held until it is hashed, took over ${limits.appHeldMs / 60_000} minutes or came slower than ${limits.appHeldPace.bytes / 1024} KiB in ${limits.appHeldPace.everyMs / 1000} s: send x-amz-content-sha256, or parts`,
      );
    case 'too_fine':
      return badRequest('the request body comes in pieces too small to be read: send it in larger chunks');
    case 'malformed':
      return badRequest('the request body is malformed');
    case 'client_gone':
      return badRequest('the client left before its request was complete');
    default:
      return badRequest(`the request body stopped for ${BODY_IDLE_MS / 1000} s`);
  }
}

export function busy(reason: string): Refusal {
  return { kind: 'unavailable', message: reason, reason, retryAfterMs: 1000 };
}

export function unsignable(error: unknown): Refusal {
  const reason = error instanceof Error ? error.message : String(error);
  return { kind: 'bad_request', message: `the request cannot be signed: ${reason}`, reason };
}
